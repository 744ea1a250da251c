// Datagrams and messages that the kernel would never send are errors or nothing, whatever they
// hold.
#include "xdp/kernel/netlink.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>

#include "xdp/hooks/tc_listing.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {
namespace {

using Data = std::vector<std::uint8_t>;
constexpr std::uint32_t kSequence = 7;

template <typename T>
void append(Data& data, const T& value) {
  std::uint8_t bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  for (const std::uint8_t byte : bytes) {
    data.push_back(byte);
  }
}

Data message(std::uint16_t type, const Data& payload, std::uint32_t sequence = kSequence,
             std::uint16_t flags = 0) {
  Data data;
  append(data, nlmsghdr{static_cast<std::uint32_t>(sizeof(nlmsghdr) + payload.size()), type, flags,
                        sequence, 0});
  for (const std::uint8_t byte : payload) {
    data.push_back(byte);
  }
  data.resize((data.size() + 3) / 4 * 4);
  return data;
}

Data status(std::int32_t number) {
  Data data;
  append(data, number);
  return data;
}

int error_of(const Data& datagram) {
  NetlinkAnswer answer;
  EXPECT_TRUE(read_datagram(datagram, kSequence, answer).ended);
  return answer.error;
}

TEST(Netlink, ReadsWhatBelongsToTheRequest) {
  Data datagram = message(RTM_NEWLINK, {1, 2, 3}, kSequence);
  const Data other = message(RTM_NEWLINK, {4}, kSequence - 1);
  const Data interrupted = message(RTM_NEWLINK, {5}, kSequence, NLM_F_DUMP_INTR);
  datagram.insert(datagram.end(), other.begin(), other.end());
  datagram.insert(datagram.end(), interrupted.begin(), interrupted.end());
  NetlinkAnswer answer;
  const DatagramEnd end = read_datagram(datagram, kSequence, answer);
  EXPECT_FALSE(end.ended);
  EXPECT_TRUE(end.interrupted);
  EXPECT_EQ(answer.error, 0);
  ASSERT_EQ(answer.messages.size(), 2U);
  EXPECT_EQ(answer.messages[0].payload, (Data{1, 2, 3}));
  EXPECT_EQ(answer.messages[1].payload, Data{5});
}

TEST(Netlink, EndsWithTheKernelsErrno) {
  EXPECT_EQ(error_of(message(NLMSG_DONE, status(0))), 0);
  EXPECT_EQ(error_of(message(NLMSG_DONE, status(-ENODEV))), ENODEV) << "a dump that failed midway";
  Data error = status(-EPERM);
  error.resize(sizeof(nlmsgerr));
  EXPECT_EQ(error_of(message(NLMSG_ERROR, error)), EPERM);
}

TEST(Netlink, TakesNoNumberForAnErrnoThatIsNone) {
  for (const std::int32_t number : {1, -4096, INT32_MIN, INT32_MAX}) {
    Data error = status(number);
    error.resize(sizeof(nlmsgerr));
    EXPECT_EQ(error_of(message(NLMSG_ERROR, error)), EPROTO) << number;
  }
  EXPECT_EQ(error_of(message(NLMSG_ERROR, status(-1))), EPROTO) << "too short";
}

TEST(Netlink, RefusesLengthsBeyondTheDatagram) {
  for (const std::uint32_t length : {0U, 15U, 21U, 0xffffffffU}) {
    Data datagram = message(RTM_NEWLINK, {1, 2, 3, 4});
    std::memcpy(datagram.data(), &length, sizeof(length));
    EXPECT_EQ(error_of(datagram), EPROTO) << length;
  }
}

// Attributes: each of the length that its header claims.
Data attribute(std::uint16_t claimed, std::uint16_t type, const Data& content) {
  Data data;
  append(data, nlattr{claimed, type});
  for (const std::uint8_t byte : content) {
    data.push_back(byte);
  }
  return data;
}

TEST(Netlink, FindsNoAttributeBeyondTheMessage) {
  EXPECT_FALSE(find_attribute(attribute(3, 1, {1, 2}), 1));
  EXPECT_FALSE(find_attribute(attribute(7, 1, {1, 2}), 1));
  EXPECT_FALSE(u32_attribute(attribute(6, 1, {1, 2}), 1));
  EXPECT_EQ(text_attribute(attribute(6, 1, {'a', 'b'}), 1), "ab") << "without its zero byte";
  EXPECT_EQ(text_attribute(attribute(7, 1, {'a', 0, 'b'}), 1), "a");
}

TEST(Netlink, ParsesNoMessageThatIsTooShort) {
  for (const std::uint16_t type : {RTM_NEWLINK, RTM_NEWQDISC, RTM_NEWTFILTER}) {
    for (std::size_t size = 0; size < sizeof(tcmsg); ++size) {
      const NetlinkMessage one{type, Data(size, 0xff)};
      EXPECT_FALSE(parse_filter(one));
      EXPECT_FALSE(parse_ingress_qdisc(one));
      EXPECT_FALSE(size < sizeof(ifinfomsg) && parse_interface(one));
    }
  }
}

}  // namespace
}  // namespace weir::xdp
