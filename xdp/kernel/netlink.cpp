#include "xdp/kernel/netlink.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"

namespace weir::xdp {
namespace {

constexpr std::size_t kReceiveSize =
    std::size_t{256} * 1024;  // Above the kernel's largest dump message.
constexpr int kDumpTries = 8;

constexpr std::size_t aligned(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

template <typename T>
T read_at(Bytes bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

// The errno of a negative status; EPROTO for a number that is none.
int errno_of(std::int32_t status) {
  constexpr std::int32_t kLastErrno = 4095;  // MAX_ERRNO of linux/err.h.
  return status <= 0 && status >= -kLastErrno ? -status : EPROTO;
}

// An error message: the errno, the head of the request (all of it unless capped), attributes.
void read_error(Bytes payload, const nlmsghdr& header, NetlinkAnswer& answer) {
  if (payload.size() < sizeof(nlmsgerr)) {
    answer.error = EPROTO;
    return;
  }
  const auto error = read_at<nlmsgerr>(payload, 0);
  answer.error = errno_of(error.error);
  std::size_t behind = sizeof(nlmsgerr);
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0 && error.msg.nlmsg_len > sizeof(nlmsghdr)) {
    behind += aligned(error.msg.nlmsg_len - sizeof(nlmsghdr));
  }
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0 && behind < payload.size()) {
    answer.words = text_attribute(payload.subspan(behind), NLMSGERR_ATTR_MSG);
  }
}

// The end of a dump holds the errno of one that failed midway, 0 otherwise.
void read_dump_end(Bytes payload, NetlinkAnswer& answer) {
  if (payload.size() >= sizeof(std::int32_t)) {
    const auto status = read_at<std::int32_t>(payload, 0);
    answer.error = status < 0 ? errno_of(status) : 0;
  }
}

struct Attribute {
  std::uint16_t type = 0;
  Bytes content;
};

// The first attribute, which leaves `attributes`; nothing where those end or are no attributes.
std::optional<Attribute> take_attribute(Bytes& attributes) {
  if (attributes.size() < sizeof(nlattr)) {
    return std::nullopt;
  }
  const auto header = read_at<nlattr>(attributes, 0);
  if (header.nla_len < sizeof(nlattr) || header.nla_len > attributes.size()) {
    return std::nullopt;
  }
  const Attribute found{static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
                        attributes.subspan(sizeof(nlattr), header.nla_len - sizeof(nlattr))};
  attributes = attributes.subspan(std::min(aligned(header.nla_len), attributes.size()));
  return found;
}

std::string text_of(Bytes content) {
  const auto* text = reinterpret_cast<const char*>(content.data());
  return {text, strnlen(text, content.size())};
}

}  // namespace

DatagramEnd read_datagram(Bytes datagram, std::uint32_t sequence, NetlinkAnswer& answer) {
  DatagramEnd end;
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto header = read_at<nlmsghdr>(datagram, 0);
    if (header.nlmsg_len < sizeof(nlmsghdr) || header.nlmsg_len > datagram.size()) {
      answer.error = EPROTO;
      end.ended = true;
      return end;
    }
    const Bytes payload = datagram.subspan(sizeof(nlmsghdr), header.nlmsg_len - sizeof(nlmsghdr));
    datagram = datagram.subspan(std::min(aligned(header.nlmsg_len), datagram.size()));
    if (header.nlmsg_seq != sequence) {
      continue;  // The rest of a conversation that was given up.
    }
    end.interrupted |= (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (header.nlmsg_type == NLMSG_ERROR) {
      read_error(payload, header, answer);
      end.ended = true;
      return end;
    }
    if (header.nlmsg_type == NLMSG_DONE) {
      read_dump_end(payload, answer);
      end.ended = true;
      return end;
    }
    answer.messages.push_back({header.nlmsg_type, {payload.begin(), payload.end()}});
  }
  return end;
}

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags, const void* family_header,
                               std::size_t size)
    : bytes_(sizeof(nlmsghdr) + aligned(size)) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  std::memcpy(bytes_.data(), &header, sizeof(header));
  std::memcpy(bytes_.data() + sizeof(header), family_header, size);
}

void NetlinkRequest::attribute(std::uint16_t type, const void* data, std::size_t size) {
  const nlattr attribute{static_cast<std::uint16_t>(sizeof(nlattr) + size), type};
  const std::size_t at = bytes_.size();
  bytes_.resize(at + aligned(sizeof(nlattr) + size));
  std::memcpy(bytes_.data() + at, &attribute, sizeof(attribute));
  if (size != 0) {
    std::memcpy(bytes_.data() + at + sizeof(attribute), data, size);
  }
}

void NetlinkRequest::raw(const void* data, std::size_t size) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + aligned(size));
  std::memcpy(bytes_.data() + at, data, size);
}

std::size_t NetlinkRequest::begin_nest(std::uint16_t type) {
  const std::size_t nest = bytes_.size();
  attribute(static_cast<std::uint16_t>(type | NLA_F_NESTED), nullptr, 0);
  return nest;
}

void NetlinkRequest::end_nest(std::size_t nest) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - nest);
  std::memcpy(bytes_.data() + nest + offsetof(nlattr, nla_len), &length, sizeof(length));
}

const std::vector<std::uint8_t>& NetlinkRequest::finish(std::uint32_t sequence) {
  auto header = read_at<nlmsghdr>(bytes_, 0);
  header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof(header));
  return bytes_;
}

bool NetlinkMessage::copy_to(void* to, std::size_t size) const {
  if (payload.size() < size) {
    return false;
  }
  std::memcpy(to, payload.data(), size);
  return true;
}

Bytes NetlinkMessage::attributes(std::size_t family_header_size) const {
  return Bytes(payload).subspan(std::min(aligned(family_header_size), payload.size()));
}

std::optional<Bytes> find_attribute(Bytes attributes, std::uint16_t type) {
  while (const auto attribute = take_attribute(attributes)) {
    if (attribute->type == type) {
      return attribute->content;
    }
  }
  return std::nullopt;
}

std::optional<std::uint32_t> u32_attribute(Bytes attributes, std::uint16_t type) {
  const auto content = find_attribute(attributes, type);
  if (!content || content->size() < sizeof(std::uint32_t)) {
    return std::nullopt;
  }
  return read_at<std::uint32_t>(*content, 0);
}

std::string text_attribute(Bytes attributes, std::uint16_t type) {
  const auto content = find_attribute(attributes, type);
  return content ? text_of(*content) : std::string();
}

std::vector<std::string> text_attributes(Bytes attributes, std::uint16_t type) {
  std::vector<std::string> texts;
  while (const auto attribute = take_attribute(attributes)) {
    if (attribute->type == type) {
      texts.push_back(text_of(attribute->content));
    }
  }
  return texts;
}

Error netlink_error(const std::string& what, const NetlinkAnswer& answer) {
  if (answer.error == EPERM && answer.words.empty()) {
    return missing_privilege(what, {Capability::kNetAdmin});
  }
  Error error = system_error(what, answer.error);
  if (!answer.words.empty()) {
    error.message = fmt::format("{}: {}", what, answer.words);
  }
  return error;
}

Result<Netlink> Netlink::open(int protocol) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) {
    return tl::make_unexpected(system_error("opening a netlink socket", errno));
  }
  // Neither option is needed for anything but the kernel's words and short errors.
  const int on = 1;
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  return Netlink(std::move(fd));
}

NetlinkAnswer Netlink::ask_once(NetlinkRequest& request) {
  NetlinkAnswer answer;
  const std::vector<std::uint8_t>& bytes = request.finish(++sequence_);
  if (send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) {
    answer.error = errno;
    return answer;
  }
  DatagramEnd end;
  bool interrupted = false;
  std::vector<std::uint8_t> buffer(kReceiveSize);
  while (!end.ended) {
    sockaddr_nl from{};
    socklen_t size = sizeof(from);
    const ssize_t count = recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0 || static_cast<std::size_t>(count) > buffer.size()) {
      answer.error = count < 0 ? errno : EMSGSIZE;
      return answer;
    }
    if (size < sizeof(from) || from.nl_pid != 0) {
      continue;  // Another process can send here too, the kernel alone from address 0.
    }
    end = read_datagram(Bytes(buffer).first(static_cast<std::size_t>(count)), sequence_, answer);
    interrupted |= end.interrupted;
  }
  if (interrupted && answer.error == 0) {
    answer.error = EINTR;
  }
  return answer;
}

NetlinkAnswer Netlink::ask(NetlinkRequest& request) {
  NetlinkAnswer answer = ask_once(request);
  for (int tries = 1; answer.error == EINTR && tries < kDumpTries; ++tries) {
    answer = ask_once(request);
  }
  return answer;
}

}  // namespace weir::xdp
