// The little of rtnetlink and generic netlink that attaching needs. Private to this folder.
//
// libbpf and libxdp speak netlink too, but keep the kernel's own words of a refusal to themselves
// (NLM_F_ACK_TLVS: "native and generic XDP can't be active at the same time"), know no classic
// programs at tc and cannot list what stands there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"

namespace weir::xdp {

// A request under construction: header, the family's own header, attributes.
class NetlinkRequest {
 public:
  // `family_header` is copied as it is (struct ifinfomsg, struct tcmsg).
  template <typename FamilyHeader>
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const FamilyHeader& family_header)
      : NetlinkRequest(type, flags, &family_header, sizeof(family_header)) {}

  void attribute(std::uint16_t type, const void* data, std::size_t size);
  void attribute(std::uint16_t type, std::uint32_t value) {
    attribute(type, &value, sizeof(value));
  }
  void attribute(std::uint16_t type, std::int32_t value) { attribute(type, &value, sizeof(value)); }
  void attribute(std::uint16_t type, const std::string& text) {
    attribute(type, text.c_str(), text.size() + 1);
  }
  // Bytes that are no attribute (a family header inside a nest), padded like one.
  void raw(const void* data, std::size_t size);
  // Attributes added between begin and end are inside the nest.
  std::size_t begin_nest(std::uint16_t type);
  void end_nest(std::size_t nest);

  // The bytes to send, under the sequence number.
  const std::vector<std::uint8_t>& finish(std::uint32_t sequence);

 private:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const void* family_header,
                 std::size_t size);
  std::vector<std::uint8_t> bytes_;
};

// A message of the kernel: the family's header and the attributes behind it.
struct NetlinkMessage {
  std::uint16_t type = 0;
  std::vector<std::uint8_t> payload;

  template <typename FamilyHeader>
  std::optional<FamilyHeader> header() const {
    FamilyHeader value{};
    return copy_to(&value, sizeof(value)) ? std::optional<FamilyHeader>(value) : std::nullopt;
  }
  // The attributes behind a family header of this size.
  Bytes attributes(std::size_t family_header_size) const;

 private:
  bool copy_to(void* to, std::size_t size) const;
};

// The content of the first attribute of that type, if there is one.
std::optional<Bytes> find_attribute(Bytes attributes, std::uint16_t type);
std::optional<std::uint32_t> u32_attribute(Bytes attributes, std::uint16_t type);
std::string text_attribute(Bytes attributes, std::uint16_t type);
// Every attribute of that type, in the kernel's order.
std::vector<std::string> text_attributes(Bytes attributes, std::uint16_t type);

// How the kernel ended a request.
struct NetlinkAnswer {
  int error = 0;      // An errno, 0 when it was done.
  std::string words;  // The kernel's own, often empty.
  std::vector<NetlinkMessage> messages;
};

// Takes the messages of one datagram apart and adds to the answer those of the request with that
// sequence number. Ends with an error in `answer` (EPROTO) where the bytes are no messages.
struct DatagramEnd {
  bool ended = false;        // The kernel has said that nothing follows.
  bool interrupted = false;  // A dump whose subject changed meanwhile.
};
DatagramEnd read_datagram(Bytes datagram, std::uint32_t sequence, NetlinkAnswer& answer);

// "WHAT: the kernel's words, or strerror"; EPERM without words is a want of CAP_NET_ADMIN.
Error netlink_error(const std::string& what, const NetlinkAnswer& answer);

// One conversation with the kernel about the network namespace of the calling thread.
class Netlink {
 public:
  // NETLINK_ROUTE (0) or NETLINK_GENERIC (16), linux/netlink.h.
  static Result<Netlink> open(int protocol = 0);
  // Sends and reads until the kernel's acknowledgement or, for a dump, its end. A dump that was
  // interrupted by a change is asked for again.
  NetlinkAnswer ask(NetlinkRequest& request);

 private:
  explicit Netlink(Fd fd) : fd_(std::move(fd)) {}
  NetlinkAnswer ask_once(NetlinkRequest& request);
  Fd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace weir::xdp
