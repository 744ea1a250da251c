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
  clang libclang-rt-dev
  tcpdump binutils git
  qemu-system-x86 busybox-static
  qemu-user g++-aarch64-linux-gnu googletest
)

# To check the style of sources, as Debian 12 does: other versions format otherwise and have other checks.
style_packages=(clang-format-14 clang-tidy-14)

# For what `tools/test --release` does beyond that: bare roots of other distributions.
release_packages=(debootstrap mount)

# missing_packages NAME...: prints those that are not installed, one a line.
missing_packages() {
  local name
  for name in "$@"; do
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) != installed ]]; then
      echo "$name"
    fi
  done
}

# known_packages NAME...: whether each is installed or is one that apt-get could install here.
known_packages() {
  local name
  while read -r name; do
    [[ -n $(apt-cache search --names-only "^${name//+/\\+}\$" 2>/dev/null) ]] || return 1
  done < <(missing_packages "$@")
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
  echo "packages: ${#missing[@]} and what they need; this takes some minutes where all are missing"
  local apt=(apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  # An update that fails for one source may still leave what is needed. What apt-get and the packages print
  # is for the case that it fails.
  DEBIAN_FRONTEND=noninteractive "${apt[@]}" update >/dev/null 2>&1 || true
  local said
  if ! said=$(DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --no-install-recommends "${missing[@]}" \
      </dev/null 2>&1); then
    tail -n 20 <<<"$said" >&2
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
