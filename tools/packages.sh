# shellcheck shell=bash disable=SC2034
# The Debian packages weir needs, the one way they are installed, and how wide to build. Sourced by tools/test and
# tools/quickstart; the names are those of Debian 12 and Ubuntu 24.04.

# To build and run weir.
build_packages=(
  g++ make cmake ninja-build pkg-config ccache
  libpcap-dev libbpf-dev libxdp-dev libboost-program-options-dev libexpected-dev libfmt-dev
  nlohmann-json3-dev libgtest-dev libbenchmark-dev libcapstone-dev
  zlib1g-dev libzstd-dev liblz4-dev
  iproute2 python3
)

# To run everything tools/test runs: lint, fuzzing, the second kernel, native code of another processor.
test_packages=(
  clang libclang-rt-dev clang-format-14 clang-tidy-14
  tcpdump binutils
  qemu-system-x86 busybox-static
  qemu-user g++-aarch64-linux-gnu googletest
)

# missing_packages NAME...: prints those that are not installed, one a line.
missing_packages() {
  local name
  for name in "$@"; do
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) != installed ]]; then
      echo "$name"
    fi
  done
}

# install_packages NAME...: installs what is missing. Without root, or where apt-get cannot, it says
# what is missing and how to install it and returns 1; the caller decides what can still be done.
install_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "packages: this is no Debian; please see to it that these are there: $*" >&2
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    return 0
  fi
  if ((EUID != 0)); then
    echo "packages: missing: ${missing[*]}" >&2
    echo "packages: installing needs root: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  echo "packages: installing ${missing[*]}"
  local apt=(apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  # An update that fails for one source may still leave what is needed.
  DEBIAN_FRONTEND=noninteractive "${apt[@]}" update >/dev/null || true
  if ! DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --no-install-recommends "${missing[@]}" \
      </dev/null >/dev/null; then
    mapfile -t missing < <(missing_packages "${missing[@]}")
    echo "packages: apt-get could not install: ${missing[*]}" >&2
    return 1
  fi
}

# As many jobs as there are processors, and as memory holds compilers (1.5 GB each).
count_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
  ((memory < 1)) && memory=1
  echo $((processors < memory ? processors : memory))
}
