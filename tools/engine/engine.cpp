#include "tools/engine/engine.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "cbpf/dialect.h"
#include "tools/engine/engines.h"

namespace weir::engine {
namespace {

using cbpf::Dialect;

constexpr std::array kEngines = {
    EngineInfo{EngineId::kClassicInterpreter, "classic-interpreter", 1993, false, true,
               Dialect::kLibpcap, false, "weir's interpreter of classic programs"},
    EngineInfo{EngineId::kLibpcap, "libpcap", 1993, false, true, Dialect::kLibpcap, true,
               "libpcap's bpf_filter(), the peer"},
    EngineInfo{EngineId::kExtendedInterpreter, "extended-interpreter", 2014, false, true,
               Dialect::kLibpcap, false, "weir's interpreter of extended programs"},
    EngineInfo{EngineId::kExtendedJit, "extended-jit", 2014, false, true, Dialect::kLibpcap, false,
               "weir's native code of extended programs"},
    EngineInfo{EngineId::kKernelClassic, "kernel-classic", 1993, true, true, Dialect::kLinux, true,
               "the classic program on a socket (SO_ATTACH_FILTER)"},
    EngineInfo{EngineId::kKernelSocket, "kernel-socket", 2014, true, true, Dialect::kLibpcap, false,
               "the extended program as a socket filter"},
    EngineInfo{EngineId::kKernelTc, "kernel-tc", 2014, true, false, Dialect::kLibpcap, false,
               "the extended program at tc"},
    EngineInfo{EngineId::kKernelXdp, "kernel-xdp", 2014, true, false, Dialect::kLibpcap, false,
               "the extended program at XDP"},
};

}  // namespace

Status require_known_extensions(const Filter& filter) {
  const std::uint32_t unknown = filter.program.extensions() & ~filter.known_extensions;
  if (unknown == 0) {
    return {};
  }
  const auto extension = static_cast<cbpf::Extension>(std::countr_zero(unknown) * 4);
  return fail(ErrorCode::kUnsupported, "the extension '" +
                                           std::string(cbpf::extension_name(extension)) +
                                           "' is not known of these packets");
}

std::span<const EngineInfo> all_engines() { return kEngines; }

const EngineInfo& info(EngineId id) { return kEngines[static_cast<std::size_t>(id)]; }

Result<EngineId> engine_by_name(std::string_view name) {
  std::string names;
  for (const EngineInfo& engine : kEngines) {
    if (engine.name == name) {
      return engine.id;
    }
    names += names.empty() ? "" : ", ";
    names += engine.name;
  }
  return fail(ErrorCode::kUsage,
              "no engine is named '" + std::string(name) + "'; the engines are " + names);
}

EngineId fastest_engine() {
  const cbpf::Program reject{{{cbpf::kRet | cbpf::kK, 0, 0, 0}}};
  const auto valid = cbpf::validate(reject);
  return valid && prepare_extended_jit({.program = *valid}) ? EngineId::kExtendedJit
                                                            : EngineId::kExtendedInterpreter;
}

std::optional<std::string> dialect_warning(EngineId id, const Filter& filter) {
  const EngineInfo& engine = info(id);
  if (!engine.fixed_dialect || engine.dialect == filter.program.dialect()) {
    return std::nullopt;
  }
  const auto at = cbpf::dialects_part_at(filter.program);
  if (!at) {
    return std::nullopt;
  }
  return std::string(engine.name) + " reads programs in the " +
         (engine.dialect == Dialect::kLinux ? "linux" : "libpcap") + " dialect, and instruction " +
         std::to_string(*at) + " can mean something else in it (see --dialect)";
}

Status Prepared::run_bytes(std::span<const PacketBytes> packets, std::span<std::uint32_t> results) {
  std::array<cbpf::Packet, 64> chunk;
  for (std::size_t at = 0; at < packets.size(); at += chunk.size()) {
    const std::size_t count = std::min(chunk.size(), packets.size() - at);
    for (std::size_t i = 0; i < count; ++i) {
      chunk[i] = {.captured = packets[at + i].bytes(), .wire_length = packets[at + i].length};
    }
    if (auto ran = run(std::span(chunk).first(count), results.subspan(at, count)); !ran) {
      return ran;
    }
  }
  return {};
}

Result<std::unique_ptr<Prepared>> prepare(EngineId id, const Filter& filter) {
  switch (id) {
    case EngineId::kClassicInterpreter:
      return prepare_classic_interpreter(filter);
    case EngineId::kLibpcap:
      return prepare_libpcap(filter);
    case EngineId::kExtendedInterpreter:
      return prepare_extended_interpreter(filter);
    case EngineId::kExtendedJit:
      return prepare_extended_jit(filter);
    case EngineId::kKernelClassic:
      return prepare_kernel_classic(filter);
    case EngineId::kKernelSocket:
    case EngineId::kKernelTc:
    case EngineId::kKernelXdp:
      return prepare_kernel_extended(id, filter);
  }
  return fail(ErrorCode::kUsage, "no such engine");
}

Result<std::unique_ptr<Prepared>> prepare_joined(EngineId id, std::span<const Filter> filters,
                                                 ir::JoinedResult result) {
  switch (id) {
    case EngineId::kExtendedInterpreter:
      return prepare_joined_interpreter(filters, result);
    case EngineId::kExtendedJit:
      return prepare_joined_jit(filters, result);
    case EngineId::kClassicInterpreter:
    case EngineId::kLibpcap:
    case EngineId::kKernelClassic:
    case EngineId::kKernelSocket:
    case EngineId::kKernelTc:
    case EngineId::kKernelXdp:
      break;
  }
  return fail(ErrorCode::kUnsupported,
              std::string(info(id).name) + " runs several filters one by one");
}

}  // namespace weir::engine
