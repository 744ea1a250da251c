#include "xdp/hooks/dispatcher_pins.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "cbpf/base/fd.h"
#include "xdp/carried_rule/carried_rule.h"
#include "xdp/carried_rule/rule_text.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/inspect.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    entries.push_back(entry->path());
  }
  return entries;
}

// The program of a pin, which is of a program ("prog0-prog") or of a link ("prog0-link"); 0 when it
// is of neither.
std::uint32_t pinned_program(const fs::path& pin) {
  const Fd object(bpf_obj_get(pin.c_str()));
  if (!object.valid()) {
    return 0;
  }
  if (pin.native().ends_with("-link")) {
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    return bpf_obj_get_info_by_fd(object.get(), &info, &size) == 0 ? info.prog_id : 0;
  }
  const auto info = program_info(object.get());
  return info ? info->id : 0;
}

bool holds_rule_of(const fs::path& pin, std::uint64_t network) {
  const std::uint32_t id = pinned_program(pin);
  const auto program = open_program(id);
  const auto info = program ? program_info(program->get()) : tl::make_unexpected(program.error());
  const auto carried = info ? carried_rule(*info) : tl::make_unexpected(info.error());
  return carried && carried->rule && network != 0 && carried->rule->network == network;
}

// The dispatcher of a folder's name, if it belongs to an interface of that index.
std::uint32_t dispatcher_of(const fs::path& folder, std::uint32_t interface) {
  const std::string name = folder.filename().native();
  const std::string prefix = fmt::format("dispatch-{}-", interface);
  std::uint32_t id = 0;
  if (!name.starts_with(prefix)) {
    return 0;
  }
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, id);
  return error == std::errc() && stop == end ? id : 0;
}

Status remove_folder(const fs::path& folder, const std::vector<fs::path>& pins) {
  std::error_code error;
  for (const fs::path& pin : pins) {
    fs::remove(pin, error);
  }
  fs::remove(folder, error);
  if (error) {
    return tl::make_unexpected(
        system_error(fmt::format("removing '{}'", folder.native()), error.value()));
  }
  return {};
}

}  // namespace

std::string bpffs() {
  const char* elsewhere = std::getenv("LIBXDP_BPFFS");
  return elsewhere != nullptr ? elsewhere : "/sys/fs/bpf";
}

bool is_bpffs(const std::string& path) {
  struct statfs filesystem {};
  return statfs(path.c_str(), &filesystem) == 0 &&
         static_cast<std::uint64_t>(filesystem.f_type) == BPF_FS_MAGIC;
}

Status remove_stale_pins(std::uint32_t interface) {
  const fs::path root = fs::path(bpffs()) / "xdp";
  const Fd lock(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid() || !is_bpffs(bpffs())) {
    return {};  // No dispatcher was ever made here.
  }
  // libxdp holds it from before it pins a dispatcher until after it has attached it.
  if (flock(lock.get(), LOCK_EX) != 0) {
    return tl::make_unexpected(system_error("locking libxdp's dispatchers", errno));
  }
  const auto attached = attached_xdp(interface);
  if (!attached) {
    return tl::make_unexpected(attached.error());
  }
  const std::uint64_t network = network_namespace();
  Status first;
  for (const fs::path& folder : entries_of(root)) {
    const std::uint32_t id = dispatcher_of(folder, interface);
    if (id == 0 || id == attached->native_program || id == attached->generic_program) {
      continue;
    }
    const std::vector<fs::path> pins = entries_of(folder);
    if (!pins.empty() && std::none_of(pins.begin(), pins.end(), [&](const fs::path& pin) {
          return holds_rule_of(pin, network);
        })) {
      continue;
    }
    if (auto removed = remove_folder(folder, pins); !removed && first) {
      first = std::move(removed);
    }
  }
  return first;
}

}  // namespace weir::xdp
