// The tag in its place: a function with the tag restored, run on the packet as Linux hands it to a
// hook, gives what the function gives on the frame as it was on the wire.
#include "translator/ir/build/restore_vlan_tag.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "cbpf/validate.h"
#include "tests/cbpf/expressions.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "translator/ir/build/build.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"
#include "translator/lower/to_classic.h"
#include "translator/opt/pass.h"

namespace weir::lower {
namespace {

using cbpf::Extension;

constexpr int kEthernet = 1;

// A frame, and what Linux makes of it on the way in: the outer tag is beside the packet.
struct Received {
  std::vector<std::uint8_t> bytes;
  std::uint32_t wire_length = 0;
  cbpf::Ancillary ancillary;

  explicit Received(const random::RandomPacket& frame)
      : bytes(frame.bytes), wire_length(frame.wire_length) {
    const bool tagged = bytes.size() >= 16 && is_tag_type(load_be16(&bytes[12]));
    ancillary.set(Extension::kVlanAvail, tagged ? 1 : 0);
    ancillary.set(Extension::kVlanTpid, tagged ? load_be16(&bytes[12]) : 0);
    ancillary.set(Extension::kVlanTci, tagged ? load_be16(&bytes[14]) : 0);
    if (tagged) {
      bytes.erase(bytes.begin() + 12, bytes.begin() + 16);
      wire_length -= 4;
    }
  }
  static bool is_tag_type(std::uint32_t type) { return type == 0x8100 || type == 0x88a8; }
  cbpf::Packet view() const {
    return {.captured = bytes, .wire_length = wire_length, .ancillary = &ancillary};
  }
};

// Half of the frames get a tag (or one more) from here.
random::RandomPacket random_frame(random::Choices& choices) {
  random::RandomPacket frame =
      random::random_packet(choices, {.truncate = false, .min_length = 14});
  if (choices.chance(50)) {
    const std::uint8_t type[2][2] = {{0x81, 0x00}, {0x88, 0xa8}};
    const auto& chosen = type[choices.below(2)];
    const std::uint8_t tag[] = {chosen[0], chosen[1], static_cast<std::uint8_t>(choices.below(256)),
                                static_cast<std::uint8_t>(choices.below(256))};
    frame.bytes.insert(frame.bytes.begin() + 12, std::begin(tag), std::end(tag));
    frame.wire_length += 4;
  }
  return frame;
}

// The classic program of the function as a Linux socket runs it; nothing where it cannot be said.
std::optional<cbpf::ValidatedProgram> classic_for_linux(ir::Function function) {
  EXPECT_TRUE(opt::run_passes(function, {}));
  const auto program = to_classic(function, {.dialect = cbpf::Dialect::kLinux});
  if (!program) {
    EXPECT_EQ(program.error().code, ErrorCode::kUnsupported) << to_string(program.error());
    return std::nullopt;
  }
  return cbpf::validate(*program, cbpf::Dialect::kLinux).value();
}

// Gives how many of the programs, none or one, the classic machine could not say.
int expect_same(const ir::Function& function, random::Choices& choices, int frames,
                const std::string& what) {
  const ir::Function restored = restore_vlan_tag(function);
  const auto classic = classic_for_linux(restored);
  for (int i = 0; i < frames; ++i) {
    const random::RandomPacket frame = random_frame(choices);
    const Received received(frame);
    const std::uint32_t wanted = ir::evaluate(function, frame.view());
    const bool same = ir::evaluate(restored, received.view()) == wanted;
    const bool same_in_classic = !classic || cbpf::interpret(*classic, received.view()) == wanted;
    EXPECT_TRUE(same && same_in_classic)
        << what << (same ? ", classic" : "") << "\non " << to_hex(frame.bytes) << "\n"
        << ir::print(function) << "\nrestored\n"
        << ir::print(restored);
    if (!same || !same_in_classic) {
      break;
    }
  }
  return classic ? 0 : 1;
}

// Keys that lie before, in, across and behind the tag.
TEST(Vlan, SetsMeanTheFrameOnTheWire) {
  const std::uint64_t seed = random::seed_or(5);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  const auto function = ir::parse(R"(
function EN10MB {
s0 = set 1 { 0x800, 0x8100, 0x88a8 }
s1 = set 2 { 0:0..0x7fffffff:0xffffffff, 0x81000000:0..0x81ffffff:0x7fffffff }
s2 = set 1 { 0..0x3fffffff, 0xa0000000..0xcfffffff }
b0:
  need 30
  v0 = load 2 [12]
  v1 = in s0, v0
  v2 = load 4 [10]
  v3 = load 4 [14]
  v4 = join v2, v3
  v5 = in s1, v4
  v6 = load 4 [26]
  v7 = in s2, v6
  v8 = mul v1, 4
  v9 = mul v5, 2
  v10 = or v8, v9
  v11 = or v10, v7
  return v11
}
)");
  ASSERT_TRUE(function) << to_string(function.error());
  expect_same(*function, choices, 3000, "sets");
}

TEST(Vlan, ExpressionsMeanTheFrameOnTheWire) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  int refused = 0;
  for (const std::string& expression : cbpf::short_expressions()) {
    const auto program = cbpf::compile(expression);
    ASSERT_TRUE(program) << expression;
    const auto validated = cbpf::validate(*program);
    ASSERT_TRUE(validated) << expression;
    const auto function = ir::build(*validated, kEthernet);
    ASSERT_TRUE(function) << expression;
    refused += expect_same(*function, choices, 100, expression);
    if (HasFailure()) {
      return;
    }
  }
  EXPECT_LE(refused, 4);  // Two have a loop.
}

TEST(Vlan, RandomProgramsMeanTheFrameOnTheWire) {
  const std::uint64_t seed = random::seed_or(2);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto dialect = choices.chance(50) ? cbpf::Dialect::kLinux : cbpf::Dialect::kLibpcap;
    const cbpf::Program program = random::random_program(choices, dialect, {.loops = false});
    const auto validated = cbpf::validate(program, dialect);
    ASSERT_TRUE(validated);
    const auto function = ir::build(*validated, kEthernet);
    ASSERT_TRUE(function);
    refused += expect_same(*function, choices, 20, random::to_text(program));
    if (HasFailure()) {
      return;
    }
  }
  EXPECT_LE(refused, 500);
}

TEST(Vlan, NothingIsLeftOfAFilterThatATaggedFrameCannotMatch) {
  const auto function = ir::parse(R"(
function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  return 262144
b2:
  return 0
}
)");
  ASSERT_TRUE(function);
  EXPECT_EQ(ir::print(restore_vlan_tag(*function)), R"(function EN10MB {
b0:
  v0 = ancillary vlan_avail
  branch ne v0, 0 ? b4 : b1
b1:
  need 14
  v1 = load 2 [12]
  branch eq v1, 0x800 ? b2 : b3
b2:
  return 262144
b3:
  return 0
b4:
  need 12
  v2 = ancillary vlan_tpid
  jump b5
b5:
  return 0
}
)");
}

TEST(Vlan, OtherFunctionsComeBackAsTheyAre) {
  for (const char* text : {"function RAW {\nb0:\n  need 1\n  v0 = load 1 [0]\n  return v0\n}\n",
                           "function EN10MB {\nb0:\n  v0 = ancillary vlan_tci\n  return v0\n}\n"}) {
    const auto function = ir::parse(text);
    ASSERT_TRUE(function) << to_string(function.error());
    EXPECT_EQ(ir::print(restore_vlan_tag(*function)), text);
  }
}

}  // namespace
}  // namespace weir::lower
