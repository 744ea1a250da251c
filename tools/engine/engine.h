// One face for all engines: prepare a filter once, run batches of packets, get accept lengths.
// `weir filter`, `weir bench` and the judge of the tests all run packets through this and nothing
// else, so what is measured is what is judged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cbpf/base/packet_bytes.h"
#include "cbpf/base/result.h"
#include "cbpf/packet.h"
#include "cbpf/validate.h"
#include "translator/ir/build/join.h"
#include "translator/ir/build/set_tests.h"

namespace weir::engine {

enum class EngineId : std::uint8_t {
  kClassicInterpreter,
  kLibpcap,
  kExtendedInterpreter,
  kExtendedJit,
  kKernelClassic,
  kKernelSocket,
  kKernelTc,
  kKernelXdp,
};

struct EngineInfo {
  EngineId id;
  std::string_view name;  // As --engine and JSON spell it.
  int design;             // 1993 or 2014: whose instructions it runs.
  bool in_kernel;
  bool shows_accept_length;  // False: its results are 1 for a match, else 0.
  cbpf::Dialect dialect;     // Only where fixed_dialect is set.
  bool fixed_dialect;  // The engine reads every program in `dialect`, whatever the filter says.
  std::string_view summary;  // One line for help texts.
};

std::span<const EngineInfo> all_engines();
const EngineInfo& info(EngineId id);

// kUsage listing the names when there is no engine of that name.
Result<EngineId> engine_by_name(std::string_view name);

// The fastest engine of this process on this machine: extended-jit, or extended-interpreter where
// no native code can be made (another processor, no executable memory). Price: one tiny
// compilation.
EngineId fastest_engine();

// What is run: a classic program and the link type (DLT_*) of the packets it is meant for.
struct Filter {
  // The program, or where there are set tests, that of the filter with its lists taken out, which
  // means nothing alone (programs.h).
  cbpf::ValidatedProgram program;
  int link_type = 1;
  // The extensions every packet of the run brings in its Ancillary, as a mask of Ancillary::bit; a
  // filter that reads others is refused by the user-space engines.
  std::uint32_t known_extensions = 0;
  ir::SetTests set_tests;
  // Whether an engine shall make at once what it makes else when so many packets have come that it
  // pays.
  bool for_many_packets = false;
};

// A sentence for people where the engine reads the program in another dialect than the filter's and
// the two can differ for this program; it names the instruction. Nothing in nearly every case.
std::optional<std::string> dialect_warning(EngineId id, const Filter& filter);

// Size of what the engine made of the filter.
struct Footprint {
  std::uint32_t instructions = 0;  // In the machine's own instructions (wire slots of 8 bytes).
  std::uint32_t native_bytes = 0;  // Of machine code; 0 where nothing was compiled to it.
};

// A filter made ready for one engine. Owns what it needs (kernel programs, sockets) and gives it
// back at the end of its life.
class Prepared {
 public:
  virtual ~Prepared() = default;
  Prepared() = default;
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  // Whether the engine can be shown this packet at all: the kernel's engines see only whole packets
  // (captured = wire length) between a least and a greatest size.
  virtual bool can_run(const cbpf::Packet&) const { return true; }

  // Runs the filter on each packet, every one of which can_run(); results[i] is the accept length
  // of packets[i], or 0/1 where the engine shows no more. The spans have one length. Fails with
  // kSystem only when the operating system does.
  virtual Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) = 0;

  // The same for packets of which nothing is known but their bytes. Faster where the engine takes
  // them as they are.
  virtual Status run_bytes(std::span<const PacketBytes> packets, std::span<std::uint32_t> results);

  virtual Footprint footprint() const = 0;
};

// Fails with kUnsupported or kPermission when this machine or the engine cannot run the filter; the
// sentence is the reason a table shows.
Result<std::unique_ptr<Prepared>> prepare(EngineId id, const Filter& filter);

// Several filters (1 to ir::kMostJoined) of one link type as one program that shares what they have
// in common; its results are those of `result`. kUnsupported for engines that do not run translated
// programs in this process, and for filters that read metadata.
Result<std::unique_ptr<Prepared>> prepare_joined(EngineId id, std::span<const Filter> filters,
                                                 ir::JoinedResult result);

}  // namespace weir::engine
