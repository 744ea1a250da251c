#include "xdp/kernel/skb_layout.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "xdp/kernel/load.h"

namespace weir::xdp {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

std::int32_t find_function(const btf* types, const std::string& name) {
  const std::int32_t id = btf__find_by_name_kind(types, name.c_str(), BTF_KIND_FUNC);
  return id > 0 ? id : 0;
}

Error cannot(const std::string& why) {
  return {ErrorCode::kUnsupported,
          fmt::format("socket filters cannot read packets in place on this kernel: {}", why),
          {},
          {}};
}

// The offset in bytes of a member, also one of an unnamed struct or union inside.
std::optional<std::int16_t> find_member(const btf* types, std::uint32_t type,
                                        std::string_view name) {
  const btf_type* record = btf__type_by_id(types, type);
  if (record == nullptr || !btf_is_composite(record)) {
    return std::nullopt;
  }
  const btf_member* members = btf_members(record);
  for (std::uint32_t i = 0; i < btf_vlen(record); ++i) {
    const std::uint32_t at = btf_member_bit_offset(record, i) / 8;
    const std::string_view member = btf__name_by_offset(types, members[i].name_off);
    if (member == name) {
      return static_cast<std::int16_t>(at);
    }
    if (member.empty()) {
      if (const auto inside = find_member(types, members[i].type, name)) {
        return static_cast<std::int16_t>(at + static_cast<std::uint32_t>(*inside));
      }
    }
  }
  return std::nullopt;
}

// Reads the packet's first byte the way the filters do.
ebpf::Program probe(const ebpf::SkbLayout& layout) {
  using namespace ebpf;
  return {.instructions = {
              Call{.kind = CallKind::kKfunc, .imm = layout.cast_to_kern_ctx},
              Load{.width = Width::kDw, .dst = Reg::kR1, .src = Reg::kR0, .offset = layout.data},
              Alu{.op = AluOp::kMov, .dst = Reg::kR2, .src = 0},
              Call{.kind = CallKind::kKfunc, .imm = layout.rdonly_cast},
              Alu{.op = AluOp::kAdd, .dst = Reg::kR0, .src = 14},
              Load{.width = Width::kB, .dst = Reg::kR0, .src = Reg::kR0, .offset = -14}, Exit{}}};
}

}  // namespace

std::int32_t find_kernel_function(const std::string& name) {
  const std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  return types == nullptr ? 0 : find_function(types.get(), name);
}

Result<ebpf::SkbLayout> find_skb_layout() {
  const std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  if (types == nullptr) {
    return tl::make_unexpected(cannot("it has no type information"));
  }
  ebpf::SkbLayout layout;
  const auto function = [&](const char* name, std::int32_t& id) {
    id = find_function(types.get(), name);
    return id != 0;
  };
  if (!function("bpf_cast_to_kern_ctx", layout.cast_to_kern_ctx) ||
      !function("bpf_rdonly_cast", layout.rdonly_cast)) {
    return tl::make_unexpected(cannot("it lacks bpf_rdonly_cast"));
  }
  const std::int32_t skb = btf__find_by_name_kind(types.get(), "sk_buff", BTF_KIND_STRUCT);
  const auto member = [&](std::string_view name, std::int16_t& offset) {
    const auto found =
        skb > 0 ? find_member(types.get(), static_cast<std::uint32_t>(skb), name) : std::nullopt;
    offset = found.value_or(0);
    return found.has_value();
  };
  if (!member("data", layout.data) || !member("len", layout.length) ||
      !member("data_len", layout.data_length)) {
    return tl::make_unexpected(cannot("its struct sk_buff is not known"));
  }
  const auto tried = load(probe(layout), ProgramType::kSocketFilter);
  if (!tried) {
    return tried.error().code == ErrorCode::kPermission
               ? tl::make_unexpected(tried.error())
               : tl::make_unexpected(cannot(tried.error().message));
  }
  return layout;
}

}  // namespace weir::xdp
