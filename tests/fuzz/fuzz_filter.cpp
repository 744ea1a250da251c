// Any bytes as a classic program and a packet, through every engine of user space: one verdict, the
// whole 32 bits, that of the plain reference interpreter.
//
// The first byte chooses: whether the bytes are the program itself or the decisions of the random
// generators, the dialect, the link type, whether there are extensions. Of a program given as it is
// the next byte is the number of instructions, each of 8 bytes; the packet is the rest.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "cbpf/link_layer.h"
#include "cbpf/text/text.h"
#include "cbpf/validate.h"
#include "tests/cbpf/libpcap_filter.h"
#include "tests/fuzz/guarded_bytes.h"
#include "tests/fuzz/require.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/reference/reference_interpreter.h"
#include "translator/ir/build/build.h"
#include "translator/ir/evaluate.h"
#include "translator/jit/jit.h"
#include "translator/lower/to_classic.h"
#include "translator/opt/pass.h"
#include "translator/translate.h"
#include "translator/vm/machine.h"

namespace weir {
namespace {

constexpr std::uint8_t kGenerated = 1;
constexpr std::uint8_t kLinux = 2;
constexpr std::uint8_t kRawLink = 4;
constexpr std::uint8_t kExtensions = 8;
constexpr int kLinkTypeRaw = 12;  // DLT_RAW.
constexpr std::uint32_t kAllExtensions = 0xffff;

struct Subject {
  cbpf::Program program;
  cbpf::Dialect dialect = cbpf::Dialect::kLibpcap;
  int link_type = cbpf::kLinkTypeEthernet;
  random::RandomPacket packet;
};

Subject generated(Bytes bytes, std::uint8_t flags, Subject subject) {
  random::Choices choices(bytes);
  const std::uint32_t extensions = (flags & kExtensions) != 0 ? kAllExtensions : 0;
  subject.program = random::random_program(choices, subject.dialect, {.extensions = extensions});
  subject.packet = random::random_packet(choices);
  return subject;
}

Subject literal(Bytes bytes, Subject subject) {
  const std::size_t count = std::min<std::size_t>(bytes[0], (bytes.size() - 1) / 8);
  bytes = bytes.subspan(1);
  for (std::size_t i = 0; i < count; ++i, bytes = bytes.subspan(8)) {
    subject.program.instructions.push_back(
        {.code = static_cast<std::uint16_t>(load_be16(&bytes[0])),
         .jt = bytes[2],
         .jf = bytes[3],
         .k = load_be32(&bytes[4])});
  }
  subject.packet.bytes.assign(bytes.begin(), bytes.end());
  subject.packet.wire_length = static_cast<std::uint32_t>(bytes.size() + count);
  return subject;
}

Subject subject_of(Bytes bytes) {
  const std::uint8_t flags = bytes[0];
  Subject subject;
  subject.dialect = (flags & kLinux) != 0 ? cbpf::Dialect::kLinux : cbpf::Dialect::kLibpcap;
  subject.link_type = (flags & kRawLink) != 0 ? kLinkTypeRaw : cbpf::kLinkTypeEthernet;
  bytes = bytes.subspan(1);
  subject = (flags & kGenerated) != 0 ? generated(bytes, flags, std::move(subject))
                                      : literal(bytes, std::move(subject));
  for (std::uint32_t i = 0; i < 16; ++i) {
    subject.packet.ancillary.set(static_cast<cbpf::Extension>(4 * i), 0x01010101 * i);
  }
  return subject;
}

std::string text_of(const Subject& subject) {
  return cbpf::to_text(subject.program, cbpf::TextForm::kXtBpf) + "on " +
         to_hex(subject.packet.bytes) + " wire " + std::to_string(subject.packet.wire_length);
}

void require_verdict(const char* engine, std::uint32_t got, std::uint32_t wanted,
                     const Subject& subject) {
  if (got != wanted) {
    const std::string text = std::string(engine) + " says " + std::to_string(got) + ", not " +
                             std::to_string(wanted) + "\n" + text_of(subject);
    require(false, "one filter, one verdict", text);
  }
}

// What the packet is cut to, each in memory of its own; a batch is longer than what machines look
// ahead, and its packets are told apart by what the one before left behind.
constexpr std::size_t kCuts = 3;
constexpr std::size_t kBatch = 20;

struct Traffic {
  std::array<Bytes, kCuts> cuts;
  std::array<std::uint32_t, kCuts> wanted{};
  ebpf::UserContext common;
};

cbpf::Packet packet_of(const Subject& subject, Bytes captured) {
  return {.captured = captured,
          .wire_length = subject.packet.wire_length,
          .ancillary = &subject.packet.ancillary,
          .network_offset = cbpf::network_offset(subject.link_type)};
}

template <typename Machine>
void run_machine(const char* name, const Machine& machine, const Subject& subject,
                 const Traffic& traffic) {
  std::array<ebpf::UserPacket, kBatch> batch;
  for (std::size_t i = 0; i < kBatch; ++i) {
    const Bytes bytes = traffic.cuts[i % kCuts];
    batch[i] = {.data = bytes.data(),
                .captured = static_cast<std::uint32_t>(bytes.size()),
                .length = subject.packet.wire_length};
  }
  std::array<std::uint32_t, kBatch> verdicts{};
  const Status ran = machine.run_packets(batch, verdicts, traffic.common);
  require(ran.has_value(), "translated programs do not fault", text_of(subject));
  for (std::size_t i = 0; i < kBatch; ++i) {
    require_verdict(name, verdicts[i], traffic.wanted[i % kCuts], subject);
  }
}

// The extended machines; optimised or not. What the passes leave is checked where run_ir() runs the
// same ones.
void run_extended(const cbpf::ValidatedProgram& program, const Subject& subject,
                  const Traffic& traffic, bool optimised) {
  TranslateOptions options{.link_type = subject.link_type};
  if (!optimised) {
    options.passes.passes = {"none"};
  }
  const auto extended = translate(program, options);
  if (!extended) {
    require(extended.error().code == ErrorCode::kUnsupported,
            "a refusal says what is not supported",
            to_string(extended.error()) + "\n" + text_of(subject));
    return;
  }
  const auto machine = vm::Machine::load(*extended);
  require(machine.has_value(), "what is translated loads", text_of(subject));
  run_machine(optimised ? "extended-interpreter" : "extended-interpreter, unoptimised", *machine,
              subject, traffic);
  for (const jit::SimdUse lanes : {jit::SimdUse::kNever, jit::SimdUse::kAlways}) {
    const auto native = jit::NativeProgram::compile(
        *extended, {}, {.runs_on = jit::RunsOn::kPackets, .lanes = lanes});
    require(native.has_value(), "what is translated compiles", text_of(subject));
    const std::string name = lanes == jit::SimdUse::kNever ? "extended-jit" : "extended-jit, lanes";
    run_machine(optimised ? name.c_str() : (name + ", unoptimised").c_str(), *native, subject,
                traffic);
  }
}

// The IR, and the classic program that comes out of it again.
void run_ir(const cbpf::ValidatedProgram& program, const Subject& subject, const Traffic& traffic) {
  auto function = ir::build(program, subject.link_type);
  if (!function) {
    require(function.error().code == ErrorCode::kUnsupported,
            "a refusal says what is not supported",
            to_string(function.error()) + "\n" + text_of(subject));
    return;
  }
  const auto passes = opt::run_passes(*function, {.check = true});
  require(passes.has_value(), "passes keep the IR right",
          passes ? "" : to_string(passes.error()) + "\n" + text_of(subject));
  const auto lowered = lower::to_classic(*function, {.dialect = subject.dialect});
  const auto classic =
      lowered ? cbpf::validate(*lowered, subject.dialect) : tl::make_unexpected(lowered.error());
  require(classic.has_value() || classic.error().code == ErrorCode::kUnsupported,
          "an optimised program is valid", text_of(subject));
  for (std::size_t i = 0; i < kCuts; ++i) {
    const cbpf::Packet packet = packet_of(subject, traffic.cuts[i]);
    require_verdict("the IR", ir::evaluate(*function, packet), traffic.wanted[i], subject);
    if (classic) {
      require_verdict("the optimised classic program", cbpf::interpret(*classic, packet),
                      traffic.wanted[i], subject);
    }
  }
}

// bpf_filter() takes them for loads past the packet.
bool reads_extensions(const cbpf::Program& program) {
  return std::any_of(program.instructions.begin(), program.instructions.end(),
                     [](const cbpf::Instruction& instruction) {
                       return cbpf::class_of(instruction.code) == cbpf::kLd &&
                              cbpf::mode_of(instruction.code) == cbpf::kAbs &&
                              cbpf::extension_at(instruction.k).has_value();
                     });
}

void run(const Subject& subject) {
  const auto program = cbpf::validate(subject.program, subject.dialect);
  if (!program) {
    return;
  }
  static std::array<GuardedBytes, kCuts> memory;
  const Bytes whole = subject.packet.bytes;
  const std::array<std::size_t, kCuts> sizes = {
      whole.size(), whole.size() / 2, whole.size() - std::min<std::size_t>(whole.size(), 1)};
  Traffic traffic;
  for (std::uint32_t i = 0; i < 16; ++i) {
    traffic.common.ancillary[i] =
        subject.packet.ancillary.get(static_cast<cbpf::Extension>(4 * i)).value_or(0);
  }
  for (std::size_t i = 0; i < kCuts; ++i) {
    traffic.cuts[i] = memory[i].hold(whole.first(sizes[i]));
    const cbpf::Packet packet = packet_of(subject, traffic.cuts[i]);
    const reference::Outcome outcome = reference::run(subject.program, subject.dialect, packet);
    traffic.wanted[i] = outcome.accept_length;
    require_verdict("classic-interpreter", cbpf::interpret(*program, packet), traffic.wanted[i],
                    subject);
    if (subject.dialect == cbpf::Dialect::kLibpcap && !reads_extensions(subject.program) &&
        !outcome.loop_bound) {
      require_verdict("libpcap", cbpf::LibpcapFilter(subject.program).run(packet),
                      traffic.wanted[i], subject);
    }
  }
  run_ir(*program, subject, traffic);
  run_extended(*program, subject, traffic, true);
  run_extended(*program, subject, traffic, false);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 2) {
    weir::run(weir::subject_of({data, size}));
  }
  return 0;
}
