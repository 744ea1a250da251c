#include "translator/jit/jit.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "translator/jit/code_memory.h"
#include "translator/jit/compile.h"
#include "translator/jit/runtime.h"
#include "translator/jit/simd/adaptive_choice.h"
#include "translator/jit/simd/simd_program.h"

namespace weir::jit {

namespace {

// The code for many packets at once, made when so many have come that it pays.
struct Lanes {
  ebpf::PacketProgram form;
  SimdUse use = SimdUse::kMeasured;
  bool prefetch = false;
  std::shared_ptr<CodePool> pool;
  std::atomic<std::uint64_t> seen = 0;  // Packets that came in batches.
  std::once_flag once;
  std::optional<CodeMemory> memory;  // None: it does not fit, or there is no memory.
  std::vector<SimdConstant> constants;
  AdaptiveChoice choice;
};

}  // namespace

struct NativeCode {
  CodeMemory memory;
  bool batch = false;
  RunsOn runs_on = RunsOn::kMemory;
  std::size_t checked_accesses = 0;
  std::uint32_t frame_bytes = 0;
  std::uint64_t budget = 0;
  std::vector<std::vector<std::uint8_t>> data;  // Of each map.
  std::vector<ebpf::Region> regions;            // The same as regions.
  std::vector<ebpf::Instruction> instructions;  // By index, for messages.
  std::unique_ptr<Lanes> lanes;                 // Where there may be some.
};

namespace {

constexpr std::size_t kPrefetchAhead = 16;   // Packets.
constexpr std::uint64_t kLanesAfter = 4096;  // As many packets come before it is worth while.
constexpr std::size_t kStretch = 2048;       // So many are run before the choice is looked at.

std::uint64_t address_of(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

// False when the run ended with a fault, which the state tells.
bool run_checked(const NativeCode& code, RunState& state) {
  state.budget = code.budget;
  state.frames_left = ebpf::kFrames - 1;
  state.frame_bytes = code.frame_bytes;
  state.fault_kind = 0;
  state.data = code.regions;
  std::bit_cast<CheckedEntry>(code.memory.address())(&state);
  return state.fault_kind == 0;
}

tl::unexpected<Error> failure(const NativeCode& code, const RunState& state,
                              std::string detail = {}) {
  const ebpf::Fault fault{.kind = static_cast<ebpf::FaultKind>(state.fault_kind),
                          .instruction = state.fault_instruction,
                          .address = state.fault_address};
  return fail(ErrorCode::kInvalidProgram,
              ebpf::fault_text(code.instructions[fault.instruction], fault),
              {.instruction = fault.instruction}, std::move(detail));
}

tl::unexpected<Error> wrong_use(const char* compiled_for) {
  return fail(ErrorCode::kUsage, fmt::format("the program is compiled to run on {}", compiled_for));
}

std::uint64_t ticks() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

void run_each(const NativeCode& code, std::span<const ebpf::UserPacket> packets,
              std::uint32_t* verdicts, const ebpf::UserContext& common) {
  const auto entry = std::bit_cast<BatchEntry>(code.memory.address());
  const ebpf::UserPacket* const begin = packets.data();
  const ebpf::UserPacket* const end = begin + packets.size();
  // The last packets have none behind them to prefetch.
  const std::size_t first = packets.size() > kPrefetchAhead ? packets.size() - kPrefetchAhead : 0;
  if (first != 0) {
    entry(begin, begin + first, verdicts, &common, kPrefetchAhead * sizeof(ebpf::UserPacket));
  }
  entry(begin + first, end, verdicts + first, &common, 0);
}

// Without memory there are no lanes: an exception may not pass through std::call_once(), where the
// C library would have to load its unwinder and ends the program if it cannot.
void make_lanes(const NativeCode& code, Lanes& lanes) {
  try {
    const std::optional<SimdProgram> form = simd_program(lanes.form, code.instructions);
    std::optional<SimdCode> compiled = form ? compile_simd(*form, lanes.form) : std::nullopt;
    if (!compiled) {
      return;
    }
    if (auto memory = CodeMemory::make(compiled->bytes, lanes.pool)) {
      lanes.memory = std::move(*memory);
      lanes.constants = std::move(compiled->constants);
    }
  } catch (const std::bad_alloc&) {
    lanes.memory.reset();
  }
}

// The code in lanes, if there is some and it is time for it.
const CodeMemory* lanes_for(const NativeCode& code, std::size_t packets) {
  if (code.lanes == nullptr || packets < kLanes) {
    return nullptr;
  }
  Lanes& lanes = *code.lanes;
  if (lanes.use == SimdUse::kMeasured && lanes.seen.load(std::memory_order_relaxed) < kLanesAfter) {
    lanes.seen.fetch_add(packets, std::memory_order_relaxed);
    return nullptr;
  }
  std::call_once(lanes.once, [&code, &lanes] { make_lanes(code, lanes); });
  return lanes.memory ? &*lanes.memory : nullptr;
}

// Whether the packets stand in memory so close behind each other that the processor itself reads
// ahead. It is enough to look at some.
bool stand_close(std::span<const ebpf::UserPacket> packets) {
  constexpr std::size_t kLooks = 4;
  constexpr std::uint64_t kClose = 256;
  for (std::size_t look = 1; look <= kLooks; ++look) {
    const std::size_t at = (packets.size() - 1) * look / kLooks;
    const std::uint64_t gap = address_of(packets[at].data) - address_of(packets[at - 1].data);
    if (gap > kClose) {  // Also where it goes back.
      return false;
    }
  }
  return true;
}

void run_lanes(const NativeCode& code, const CodeMemory& memory,
               std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts,
               const ebpf::UserContext& common) {
  const auto entry = std::bit_cast<LaneEntry>(memory.address());
  const ebpf::UserPacket* const begin = packets.data();
  const ebpf::UserPacket* at = begin;
  const auto run_to = [&](std::size_t count, std::uint64_t ahead) {
    const ebpf::UserPacket* const end = begin + count / kLanes * kLanes;
    while (at < end) {
      at = entry(at, end, verdicts + (at - begin), &common, code.lanes->constants.data(), ahead);
      if (at < end) {
        run_each(code, {at, kLanes}, verdicts + (at - begin), common);
        at += kLanes;
      }
    }
  };
  if (code.lanes->prefetch && packets.size() > kPrefetchAhead && !stand_close(packets)) {
    run_to(packets.size() - kPrefetchAhead, kPrefetchAhead * sizeof(ebpf::UserPacket));
  }
  run_to(packets.size(), 0);
  if (const auto done = static_cast<std::size_t>(at - begin); done < packets.size()) {
    run_each(code, packets.subspan(done), verdicts + done, common);
  }
}

void run_stretch(const NativeCode& code, const CodeMemory& memory,
                 std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts,
                 const ebpf::UserContext& common) {
  Lanes& lanes = *code.lanes;
  const AdaptiveChoice::Turn turn = lanes.use == SimdUse::kAlways
                                        ? AdaptiveChoice::Turn{.code = BatchCode::kInLanes}
                                        : lanes.choice.next(packets.size());
  const std::uint64_t begin = turn.timed ? ticks() : 0;
  switch (turn.code) {
    case BatchCode::kOneByOne:
      run_each(code, packets, verdicts, common);
      break;
    case BatchCode::kInLanes:
      run_lanes(code, memory, packets, verdicts, common);
      break;
  }
  if (turn.timed) {
    lanes.choice.took(turn.code, ticks() - begin, packets.size());
  }
}

void run_batch(const NativeCode& code, std::span<const ebpf::UserPacket> packets,
               std::uint32_t* verdicts, const ebpf::UserContext& common) {
  const CodeMemory* const lanes = lanes_for(code, packets.size());
  if (lanes == nullptr) {
    return run_each(code, packets, verdicts, common);
  }
  for (std::size_t at = 0; at < packets.size(); at += kStretch) {
    const std::size_t count = std::min(kStretch, packets.size() - at);
    run_stretch(code, *lanes, packets.subspan(at, count), verdicts + at, common);
  }
}

}  // namespace

NativeProgram::NativeProgram(std::unique_ptr<NativeCode> code) : code_(std::move(code)) {}
NativeProgram::NativeProgram(NativeProgram&&) noexcept = default;
NativeProgram& NativeProgram::operator=(NativeProgram&&) noexcept = default;
NativeProgram::~NativeProgram() = default;

Result<NativeProgram> NativeProgram::compile(const ebpf::Program& program,
                                             std::span<const ebpf::Helper> helpers,
                                             const CompileOptions& options) {
  const auto processor = native_processor();
  if (!processor) {
    return fail(ErrorCode::kUnsupported, "there is no native code for this kind of processor");
  }
  std::vector<std::vector<std::uint8_t>> data;
  std::vector<ebpf::Region> regions;
  data.reserve(program.maps.size());
  for (const ebpf::Map& map : program.maps) {
    regions.push_back(ebpf::readable(data.emplace_back(map.data)));
  }
  auto compiled = jit::compile(
      {.program = program, .helpers = helpers, .options = options, .data = regions}, *processor);
  if (!compiled) {
    return tl::make_unexpected(std::move(compiled.error()));
  }
  auto memory = CodeMemory::make(compiled->bytes, options.pool);
  if (!memory) {
    return tl::make_unexpected(std::move(memory.error()));
  }
  std::unique_ptr<Lanes> lanes;
  if (compiled->form && options.lanes != SimdUse::kNever && has_simd()) {
    lanes = std::make_unique<Lanes>();
    lanes->prefetch =
        options.prefetch && (compiled->form->first_byte != compiled->form->behind_bytes ||
                             compiled->form->reads_elsewhere);
    lanes->form = std::move(*compiled->form);
    lanes->use = options.lanes;
    lanes->pool = options.pool;
  }
  return NativeProgram(std::make_unique<NativeCode>(
      NativeCode{.memory = std::move(*memory),
                 .batch = compiled->batch,
                 .runs_on = options.runs_on,
                 .checked_accesses = compiled->checked_accesses,
                 .frame_bytes = compiled->frame_bytes,
                 .budget = options.budget != 0 ? options.budget : ebpf::kDefaultBudget,
                 .data = std::move(data),
                 .regions = std::move(regions),
                 .instructions = program.instructions,
                 .lanes = std::move(lanes)}));
}

Result<std::uint64_t> NativeProgram::run(const ebpf::Input& input) const {
  if (code_->runs_on != RunsOn::kMemory) {
    return wrong_use("packets");
  }
  RunState state{.r1 = input.r1, .r2 = input.r2, .given = input.regions, .packet = input.packet};
  if (!input.regions.empty()) {
    state.main = input.regions.front();
    state.given = input.regions.subspan(1);
  }
  if (!run_checked(*code_, state)) {
    return failure(*code_, state);
  }
  return state.r0;
}

Result<std::uint64_t> NativeProgram::run_memory(std::span<std::uint8_t> memory) const {
  const ebpf::Region region = ebpf::writable(memory);
  return run({.r1 = memory.empty() ? 0 : region.address,
              .r2 = region.size,
              .regions = std::span(&region, 1)});
}

Result<std::uint32_t> NativeProgram::run_packet(const ebpf::UserContext& context) const {
  const ebpf::UserPacket packet{
      .data = std::bit_cast<const std::uint8_t*>(context.data),
      .captured = static_cast<std::uint32_t>(context.data_end - context.data),
      .length = context.length};
  std::uint32_t verdict = 0;
  if (auto ran = run_packets(std::span(&packet, 1), std::span(&verdict, 1), context); !ran) {
    ran.error().detail.clear();
    return tl::make_unexpected(std::move(ran.error()));
  }
  return verdict;
}

Status NativeProgram::run_packets(std::span<const ebpf::UserPacket> packets,
                                  std::span<std::uint32_t> verdicts,
                                  const ebpf::UserContext& common) const {
  if (code_->runs_on != RunsOn::kPackets) {
    return wrong_use("memory");
  }
  if (verdicts.size() < packets.size()) {
    return fail(ErrorCode::kUsage, fmt::format("{} packets and {} places for their verdicts",
                                               packets.size(), verdicts.size()));
  }
  if (packets.empty()) {
    return {};
  }
  if (code_->batch) {
    run_batch(*code_, packets, verdicts.data(), common);
    return {};
  }
  ebpf::UserContext context = common;
  const ebpf::Region own = {.address = address_of(&context), .size = sizeof(context)};
  RunState state{.r1 = own.address, .given = std::span(&own, 1)};
  for (std::size_t i = 0; i < packets.size(); ++i) {
    context.data = address_of(packets[i].data);
    context.data_end = context.data + packets[i].captured;
    context.length = packets[i].length;
    state.main = {.address = context.data, .size = packets[i].captured};
    if (!run_checked(*code_, state)) {
      return failure(*code_, state, fmt::format("packet {}", i));
    }
    verdicts[i] = static_cast<std::uint32_t>(state.r0);
  }
  return {};
}

Bytes NativeProgram::code() const {
  return {static_cast<const std::uint8_t*>(code_->memory.address()), code_->memory.code_bytes()};
}

std::size_t NativeProgram::checked_accesses() const { return code_->checked_accesses; }

}  // namespace weir::jit
