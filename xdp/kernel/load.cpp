#include "xdp/kernel/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <variant>

#include "xdp/kernel/bpf_insn.h"
#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/libbpf_options.h"
#include "xdp/kernel/verifier_log.h"

namespace weir::xdp {
namespace {

// Levels of the verifier's log (linux/bpf_verifier.h): the path that failed, every path, and
// statistics.
constexpr std::uint32_t kLogFailure = 1;
constexpr std::uint32_t kLogEverything = 2;
constexpr std::uint32_t kLogStatistics = 4;
constexpr std::size_t kStatisticsLogSize = std::size_t{64} * 1024;
constexpr std::size_t kTraceLogSize = std::size_t{16} * 1024 * 1024;
// The verifier takes 64 maps a program (MAX_USED_MAPS); any number can be bound later, in any loop.
constexpr std::uint32_t kMostMaps = 256;
// BPF_F_XDP_DEV_BOUND_ONLY of linux/bpf.h (Linux 6.3).
constexpr std::uint32_t kDeviceBoundOnly = 1U << 6;
constexpr char kLicense[] = "Dual BSD/GPL";

bpf_prog_type kernel_type(ProgramType type) {
  switch (type) {
    case ProgramType::kSocketFilter:
      return BPF_PROG_TYPE_SOCKET_FILTER;
    case ProgramType::kTc:
      return BPF_PROG_TYPE_SCHED_CLS;
    case ProgramType::kXdp:
      return BPF_PROG_TYPE_XDP;
  }
  return BPF_PROG_TYPE_UNSPEC;
}

// The kernel refuses a name with any other character.
std::string kernel_name(std::string name) {
  name.resize(std::min<std::size_t>(name.size(), BPF_OBJ_NAME_LEN - 1));
  for (char& c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.';
    if (!kept) {
      c = '_';
    }
  }
  return name;
}

std::string loading(ProgramType type) {
  return fmt::format("loading {} {} program", type == ProgramType::kXdp ? "an" : "a",
                     program_type_name(type));
}

// What the kernel asks of a loader before it looks at the program; for socket filters of the
// simplest kind only where kernel.unprivileged_bpf_disabled is not 0.
std::vector<Capability> loader_needs(ProgramType type) {
  if (type == ProgramType::kSocketFilter) {
    return {Capability::kBpf};
  }
  return {Capability::kBpf, Capability::kNetAdmin};
}

Error no_loader(ProgramType type) {
  return missing_privilege(
      loading(type), loader_needs(type),
      type == ProgramType::kSocketFilter ? std::nullopt : std::optional(Capability::kPerfmon));
}

Error map_error(const ebpf::Map& map, ProgramType type, std::string_view step, int number) {
  return number == EPERM ? no_loader(type)
                         : system_error(fmt::format("{} the map '{}'", step, map.name), number);
}

Status fill_and_freeze(const ebpf::Map& map, ProgramType type, int fd) {
  if (map.data.size() != static_cast<std::size_t>(map.value_size) * map.entries) {
    return fail(ErrorCode::kInvalidProgram,
                fmt::format("the data of the map '{}' has {} bytes instead of {}", map.name,
                            map.data.size(), map.value_size * map.entries));
  }
  for (std::uint32_t key = 0; key < map.entries; ++key) {
    const std::uint8_t* value = map.data.data() + static_cast<std::size_t>(key) * map.value_size;
    if (bpf_map_update_elem(fd, &key, value, BPF_ANY) != 0) {
      return tl::make_unexpected(map_error(map, type, "writing", errno));
    }
  }
  if (bpf_map_freeze(fd) != 0) {
    return tl::make_unexpected(map_error(map, type, "freezing", errno));
  }
  return {};
}

Result<Fd> create_map(const ebpf::Map& map, ProgramType type) {
  auto options = make_options<bpf_map_create_opts>();
  bpf_map_type map_type = BPF_MAP_TYPE_PERCPU_ARRAY;
  if (map.kind == ebpf::MapKind::kReadOnlyData) {
    map_type = BPF_MAP_TYPE_ARRAY;
    options.map_flags = BPF_F_RDONLY_PROG;
  }
  Fd fd(bpf_map_create(map_type, kernel_name(map.name).c_str(), sizeof(std::uint32_t),
                       map.value_size, map.entries, &options));
  if (!fd.valid()) {
    return tl::make_unexpected(map_error(map, type, "creating", errno));
  }
  if (map.kind == ebpf::MapKind::kReadOnlyData) {
    if (auto filled = fill_and_freeze(map, type, fd.get()); !filled) {
      return tl::make_unexpected(filled.error());
    }
  }
  return fd;
}

// The same instructions with every map index replaced by the map's descriptor.
Result<std::vector<ebpf::Instruction>> resolve_maps(const ebpf::Program& program,
                                                    const std::vector<LoadedMap>& maps) {
  std::vector<ebpf::Instruction> resolved = program.instructions;
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    auto* immediate = std::get_if<ebpf::LoadImm64>(&resolved[i]);
    if (immediate == nullptr || (immediate->kind != ebpf::Imm64Kind::kMapIndex &&
                                 immediate->kind != ebpf::Imm64Kind::kMapValueIndex)) {
      continue;
    }
    const auto index = static_cast<std::uint32_t>(immediate->value);
    if (index >= maps.size()) {
      return fail(ErrorCode::kInvalidProgram, fmt::format("names map {} of {}", index, maps.size()),
                  {.instruction = static_cast<std::uint32_t>(i)});
    }
    immediate->kind = immediate->kind == ebpf::Imm64Kind::kMapIndex ? ebpf::Imm64Kind::kMapFd
                                                                    : ebpf::Imm64Kind::kMapValueFd;
    immediate->value = (immediate->value & 0xffffffff00000000ULL) |
                       static_cast<std::uint32_t>(maps[index].fd.get());
  }
  return resolved;
}

struct Attempt {
  Fd fd;
  int error = 0;
  std::string log;
};

Attempt try_load(const std::vector<bpf_insn>& wire, ProgramType type, const LoadOptions& load,
                 std::uint32_t level, std::size_t log_size) {
  const auto log = std::make_unique_for_overwrite<char[]>(log_size);
  log[0] = '\0';
  auto options = make_options<bpf_prog_load_opts>();
  options.log_level = level;
  options.log_size = static_cast<std::uint32_t>(log_size);
  options.log_buf = log.get();
  if (load.interface != 0) {
    options.prog_ifindex = load.interface;
    options.prog_flags = kDeviceBoundOnly;
  }
  Attempt attempt;
  attempt.fd.reset(bpf_prog_load(kernel_type(type), kernel_name(load.name).c_str(), kLicense,
                                 wire.data(), wire.size(), &options));
  attempt.error = attempt.fd.valid() ? 0 : errno;
  attempt.log.assign(log.get(), strnlen(log.get(), log_size));
  return attempt;
}

// Without CAP_PERFMON the verifier refuses arithmetic by which speculation could read foreign
// memory (a packet pointer and an offset that varies), the difference of two pointers (the length
// of an XDP packet), and in older kernels ways back. It also follows more paths then, so that a
// program is sooner too complex (neither EACCES nor EINVAL).
Error verifier_error(ProgramType type, const Refusal& refusal, int number) {
  std::vector<Capability> needs = loader_needs(type);
  if (type != ProgramType::kSocketFilter) {
    needs.push_back(Capability::kPerfmon);
  }
  if (!has_capability(needs.back()) && (number == EACCES || number == EINVAL)) {
    Error error = missing_privilege(loading(type) + " of this kind", needs);
    error.detail = "without it the kernel's verifier says: " + refusal.sentence;
    return error;
  }
  const bool strict = !has_capability(Capability::kPerfmon);
  return {ErrorCode::kVerifier,
          fmt::format("the kernel's verifier refused the program: {}{}", refusal.sentence,
                      strict ? "; it is less strict to a process with CAP_PERFMON (sudo)" : ""),
          {},
          refusal.detail};
}

// Why the kernel refused. The short log has no trace; the long one is asked for only here.
Error refusal_error(const std::vector<bpf_insn>& wire, ProgramType type, const LoadOptions& load,
                    std::span<const std::uint32_t> origins, int number) {
  const Attempt traced = try_load(wire, type, load, kLogFailure, kTraceLogSize);
  const Refusal refusal = read_refusal(traced.log, origins);
  if (refusal.sentence.empty()) {
    // Without CAP_BPF a program has 4096 instructions at the most.
    if (number == EPERM || (number == E2BIG && !has_capability(Capability::kBpf))) {
      return no_loader(type);
    }
    if (number == E2BIG) {
      return {ErrorCode::kUnsupported,
              fmt::format("the kernel does not take programs of {} instructions", wire.size()),
              {},
              {}};
    }
    return system_error(loading(type), number);
  }
  return verifier_error(type, refusal, number);
}

Status bind_metadata(const ebpf::Program& program, ProgramType type,
                     const std::vector<LoadedMap>& maps, int fd) {
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (program.maps[i].metadata && bpf_prog_bind_map(fd, maps[i].fd.get(), nullptr) != 0) {
      return tl::make_unexpected(map_error(program.maps[i], type, "binding", errno));
    }
  }
  return {};
}

}  // namespace

std::string_view program_type_name(ProgramType type) {
  switch (type) {
    case ProgramType::kSocketFilter:
      return "socket filter";
    case ProgramType::kTc:
      return "tc";
    case ProgramType::kXdp:
      return "XDP";
  }
  return {};
}

int LoadedProgram::map_fd(std::string_view name) const {
  const auto map = std::find_if(maps_.begin(), maps_.end(),
                                [&](const LoadedMap& candidate) { return candidate.name == name; });
  return map == maps_.end() ? -1 : map->fd.get();
}

Result<LoadedProgram> load(const ebpf::Program& program, ProgramType type,
                           const LoadOptions& options) {
  silence_libbpf();
  LoadedProgram loaded;
  loaded.type_ = type;
  for (const ebpf::Map& map : program.maps) {
    auto fd = create_map(map, type);
    if (!fd) {
      return tl::make_unexpected(fd.error());
    }
    if (map.metadata) {
      loaded.bound_maps_.push_back(fd->get());
    }
    loaded.maps_.push_back({map.name, std::move(*fd)});
  }
  auto resolved = resolve_maps(program, loaded.maps_);
  if (!resolved) {
    return tl::make_unexpected(resolved.error());
  }
  loaded.instructions_ = std::move(*resolved);

  const std::vector<bpf_insn> wire = wire_instructions<bpf_insn>(loaded.instructions_);
  Attempt attempt = try_load(wire, type, options,
                             options.full_log ? kLogEverything | kLogStatistics : kLogStatistics,
                             options.full_log ? kTraceLogSize : kStatisticsLogSize);
  if (!attempt.fd.valid()) {
    return tl::make_unexpected(refusal_error(
        wire, type, options, slot_origins(program.instructions, program.origins), attempt.error));
  }
  loaded.fd_ = std::move(attempt.fd);
  loaded.statistics_ = read_statistics(attempt.log);
  loaded.log_ = std::move(attempt.log);
  if (auto bound = bind_metadata(program, type, loaded.maps_, loaded.fd()); !bound) {
    return tl::make_unexpected(bound.error());
  }
  auto info = program_info(loaded.fd());
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  loaded.info_ = std::move(*info);
  return loaded;
}

Result<ProgramInfo> program_info(int program_fd) {
  bpf_prog_info raw{};
  std::uint32_t size = sizeof(raw);
  if (bpf_obj_get_info_by_fd(program_fd, &raw, &size) != 0) {
    return tl::make_unexpected(system_error("querying a program", errno));
  }
  ProgramInfo info;
  info.id = raw.id;
  info.name.assign(raw.name, strnlen(raw.name, sizeof(raw.name)));
  info.instructions = raw.xlated_prog_len / static_cast<std::uint32_t>(sizeof(bpf_insn));
  info.native_bytes = raw.jited_prog_len;
  info.loaded_at_ns = raw.load_time;
  info.map_ids.resize(std::min(raw.nr_map_ids, kMostMaps));
  if (info.map_ids.empty()) {
    return info;
  }
  bpf_prog_info maps{};
  maps.nr_map_ids = static_cast<std::uint32_t>(info.map_ids.size());
  maps.map_ids = reinterpret_cast<std::uintptr_t>(info.map_ids.data());
  size = sizeof(maps);
  if (bpf_obj_get_info_by_fd(program_fd, &maps, &size) != 0) {
    return tl::make_unexpected(system_error("querying a program", errno));
  }
  info.map_ids.resize(std::min<std::size_t>(info.map_ids.size(), maps.nr_map_ids));
  return info;
}

std::string libbpf_version() {
  return fmt::format("{}.{}", libbpf_major_version(), libbpf_minor_version());
}

}  // namespace weir::xdp
