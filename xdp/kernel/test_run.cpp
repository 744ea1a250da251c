#include "xdp/kernel/test_run.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <variant>
#include <vector>

#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/libbpf_options.h"

namespace weir::xdp {
namespace {

// What the kernel keeps of its one page: XDP_PACKET_HEADROOM, and struct skb_shared_info behind. A
// longer packet at XDP would be taken, but in fragments that the program does not see.
constexpr std::size_t kXdpHeadroom = 256;
constexpr std::size_t kTailroom = 320;
// Up to here every kernel takes a packet at the other hooks.
constexpr std::size_t kCertainlyTaken = 3000;
constexpr std::uint32_t kLiveBatch = 256;  // Frames handed to the program at a time.
// Of __sk_buff.
constexpr std::int16_t kProtocolOffset = 16;

std::size_t longest_xdp_packet() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) - kXdpHeadroom - kTailroom;
}

// The least length at which the kernel takes a packet of the protocol that its Ethernet header
// names: it wants the network header whole (net/bpf/test_run.c).
std::size_t least_length(Bytes packet) {
  constexpr std::size_t kIpHeader = 20;
  constexpr std::size_t kIpv6Header = 40;
  switch (packet.size() < ETH_HLEN ? 0 : load_be16(packet.data() + ETH_HLEN - 2)) {
    case ETH_P_IP:
      return ETH_HLEN + kIpHeader;
    case ETH_P_IPV6:
      return ETH_HLEN + kIpv6Header;
    default:
      return ETH_HLEN;
  }
}

// Whether any load could be one of the context's protocol. Errs on the side of yes.
bool may_read_protocol(const LoadedProgram& program) {
  return std::any_of(program.instructions().begin(), program.instructions().end(),
                     [](const ebpf::Instruction& instruction) {
                       const auto* load = std::get_if<ebpf::Load>(&instruction);
                       return load != nullptr && load->offset == kProtocolOffset &&
                              load->src != ebpf::Reg::kR10;
                     });
}

// net/bpf/test_run.c takes an Ethernet header off before a socket filter runs, and gives the
// program the protocol that it named.
std::vector<std::uint8_t> with_extra_header(Bytes packet) {
  std::vector<std::uint8_t> input(ETH_HLEN);
  if (packet.size() >= least_length(packet)) {
    std::copy_n(packet.begin(), ETH_HLEN, input.begin());
  }
  input.insert(input.end(), packet.begin(), packet.end());
  return input;
}

Error length_error(ProgramType type, std::size_t length) {
  return {ErrorCode::kUnsupported,
          fmt::format("the kernel does not test-run {} programs on packets of {} bytes",
                      program_type_name(type), length),
          {},
          {}};
}

// Whether the kernel can be asked at all, and be believed.
bool length_possible(const LoadedProgram& program, Bytes packet) {
  switch (program.type()) {
    case ProgramType::kSocketFilter:
      return !packet.empty() &&
             (packet.size() >= least_length(packet) || !may_read_protocol(program));
    case ProgramType::kTc:
      return packet.size() >= least_length(packet);
    case ProgramType::kXdp:
      return packet.size() >= ETH_HLEN && packet.size() <= longest_xdp_packet();
  }
  return false;
}

Error run_error(const std::string& what, int number) {
  return number == EPERM ? missing_privilege(what, {Capability::kBpf, Capability::kNetAdmin})
                         : system_error(what, number);
}

}  // namespace

bool can_test_run(const LoadedProgram& program, Bytes packet) {
  return packet.size() <= kCertainlyTaken && length_possible(program, packet);
}

Result<TestRun> test_run(const LoadedProgram& program, Bytes packet, std::uint32_t repeat) {
  if (!length_possible(program, packet)) {
    return tl::make_unexpected(length_error(program.type(), packet.size()));
  }
  auto options = make_options<bpf_test_run_opts>();
  std::vector<std::uint8_t> input;
  switch (program.type()) {
    case ProgramType::kSocketFilter:
      input = with_extra_header(packet);
      break;
    case ProgramType::kTc:
    case ProgramType::kXdp:
      input.assign(packet.begin(), packet.end());
      break;
  }
  options.data_in = input.data();
  options.data_size_in = static_cast<std::uint32_t>(input.size());
  options.repeat = static_cast<int>(std::min<std::uint32_t>(std::max(repeat, 1U), 0x7fffffff));
  if (bpf_prog_test_run_opts(program.fd(), &options) != 0) {
    const int number = errno;
    if (number == EINVAL && packet.size() > kCertainlyTaken) {
      return tl::make_unexpected(length_error(program.type(), packet.size()));
    }
    return tl::make_unexpected(run_error("a test run", number));
  }
  return TestRun{options.retval, options.duration};
}

Status run_live_frames(const LoadedProgram& program, Bytes packet, std::uint32_t frames) {
  if (program.type() != ProgramType::kXdp || !length_possible(program, packet)) {
    return tl::make_unexpected(length_error(program.type(), packet.size()));
  }
  auto options = make_options<bpf_test_run_opts>();
  options.data_in = packet.data();
  options.data_size_in = static_cast<std::uint32_t>(packet.size());
  options.repeat = static_cast<int>(std::min<std::uint32_t>(frames, 0x7fffffff));
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = kLiveBatch;
  if (bpf_prog_test_run_opts(program.fd(), &options) == 0) {
    return {};
  }
  const int number = errno;
  if (number == EINVAL) {
    return fail(ErrorCode::kUnsupported, "the kernel has no test runs on live XDP frames");
  }
  return tl::make_unexpected(run_error("a run on live frames", number));
}

}  // namespace weir::xdp
