// The inner loop. Each operation ends by jumping to the code of the next (threaded dispatch, Bell
// 1973), so that the processor predicts the successor of each by itself. Labels as values are an
// extension of GCC and Clang; this file alone uses it.
//
// A condition that is often mispredicted is better computed than jumped over: superinstructions.h
// says where.
//
// The table has the labels in the order in which code.h numbers them; tests/translator/vm runs
// every one of them against the standard. Price: about 1 ns an operation; a checked access costs
// two compares.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "translator/vm/code.h"
#include "translator/vm/memory.h"
#include "translator/vm/test_bytes.h"

#pragma GCC diagnostic ignored "-Wpedantic"

namespace weir::vm {
namespace {

std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
std::uint64_t wide(std::int32_t value) { return static_cast<std::uint64_t>(std::int64_t{value}); }
std::int32_t as_signed(std::uint32_t value) { return static_cast<std::int32_t>(value); }
std::int64_t as_signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// RFC 9669 section 4.1: x / 0 = 0 and x % 0 = x; the most negative number divided by -1 is itself,
// and leaves 0.
template <typename T>
T quotient(T a, T b) {
  return b != 0 ? a / b : 0;
}
template <typename T>
T remainder(T a, T b) {
  return b != 0 ? a % b : a;
}
template <typename T>
T signed_quotient(T a, T b) {
  if (b == static_cast<T>(-1)) {
    return static_cast<T>(0 - a);
  }
  return b != 0 ? static_cast<T>(as_signed(a) / as_signed(b)) : 0;
}
template <typename T>
T signed_remainder(T a, T b) {
  if (b == static_cast<T>(-1)) {
    return 0;
  }
  return b != 0 ? static_cast<T>(as_signed(a) % as_signed(b)) : a;
}
template <typename T>
T shift_signed(T a, T b) {
  return static_cast<T>(as_signed(a) >> (b & (8 * sizeof(T) - 1)));
}

// The low bits of a value as a signed number of type T, in 64 bits.
template <typename T>
std::uint64_t extend(std::uint64_t value) {
  return static_cast<std::uint64_t>(std::int64_t{static_cast<T>(value)});
}

// The bytes at an address that was checked; not aligned.
template <typename T>
std::uint64_t load(std::uint64_t at) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(at), sizeof(T));
  return static_cast<std::uint64_t>(value);
}
template <typename T>
void store(std::uint64_t at, std::uint64_t value) {
  const T part = static_cast<T>(value);
  std::memcpy(reinterpret_cast<void*>(at), &part, sizeof(T));
}

// What a local call keeps for its caller.
struct Caller {
  const Op* next;  // No defaults: a run must not pay for frames it does not use.
  std::array<std::uint64_t, 4> saved;  // r6 to r9.
};

std::uint64_t stored_bytes(const Code& code, const Op& op) {
  const auto* store = std::get_if<ebpf::Store>(&code.instructions[op.index]);
  return store != nullptr ? static_cast<std::uint64_t>(store->width) : 0;
}

// Runs `job`; or, when `labels` is given, only says where the code of each operation is.
bool interpret(const Code* code, Job* job, const void* const** labels) {
  // clang-format off
  static const void* const kLabels[handler::kCount] = {
      // kAlu
      &&add32_imm, &&add32_reg, &&add64_imm, &&add64_reg, &&sub32_imm, &&sub32_reg, &&sub64_imm,
      &&sub64_reg, &&mul32_imm, &&mul32_reg, &&mul64_imm, &&mul64_reg, &&div32_imm, &&div32_reg,
      &&div64_imm, &&div64_reg, &&sdiv32_imm, &&sdiv32_reg, &&sdiv64_imm, &&sdiv64_reg, &&or32_imm,
      &&or32_reg, &&or64_imm, &&or64_reg, &&and32_imm, &&and32_reg, &&and64_imm, &&and64_reg,
      &&lsh32_imm, &&lsh32_reg, &&lsh64_imm, &&lsh64_reg, &&rsh32_imm, &&rsh32_reg, &&rsh64_imm,
      &&rsh64_reg, &&neg32_imm, nullptr, &&neg64_imm, nullptr, &&mod32_imm, &&mod32_reg,
      &&mod64_imm, &&mod64_reg, &&smod32_imm, &&smod32_reg, &&smod64_imm, &&smod64_reg,
      &&xor32_imm, &&xor32_reg, &&xor64_imm, &&xor64_reg, &&mov32_imm, &&mov32_reg, &&mov64_imm,
      &&mov64_reg, nullptr, &&movsx8_to32, nullptr, &&movsx8_to64, nullptr, &&movsx16_to32,
      nullptr, &&movsx16_to64, nullptr, nullptr, nullptr, &&movsx32_to64, &&arsh32_imm,
      &&arsh32_reg, &&arsh64_imm, &&arsh64_reg,
      // kJump
      &&ja, &&ja, &&ja, &&ja, &&jeq32_imm, &&jeq32_reg, &&jeq64_imm, &&jeq64_reg, &&jgt32_imm,
      &&jgt32_reg, &&jgt64_imm, &&jgt64_reg, &&jge32_imm, &&jge32_reg, &&jge64_imm, &&jge64_reg,
      &&jset32_imm, &&jset32_reg, &&jset64_imm, &&jset64_reg, &&jne32_imm, &&jne32_reg,
      &&jne64_imm, &&jne64_reg, &&jsgt32_imm, &&jsgt32_reg, &&jsgt64_imm, &&jsgt64_reg,
      &&jsge32_imm, &&jsge32_reg, &&jsge64_imm, &&jsge64_reg, &&jlt32_imm, &&jlt32_reg,
      &&jlt64_imm, &&jlt64_reg, &&jle32_imm, &&jle32_reg, &&jle64_imm, &&jle64_reg, &&jslt32_imm,
      &&jslt32_reg, &&jslt64_imm, &&jslt64_reg, &&jsle32_imm, &&jsle32_reg, &&jsle64_imm,
      &&jsle64_reg,
      // kLoad
      &&load8, &&load8_sx, &&load16, &&load16_sx, &&load32, &&load32_sx, &&load64, nullptr,
      // kStore
      &&store8_imm, &&store8_reg, &&store16_imm, &&store16_reg,
      &&store32_imm, &&store32_reg, &&store64_imm, &&store64_reg,
      // kEndian
      &&cut16, &&swap16, &&cut32, &&swap32, &&cut64, &&swap64,
      // the rest
      &&imm64, &&atomic, &&packet, &&call_helper, &&call_local, &&return_, &&exit, &&back,
      // kPacketLoad, kTest and what is behind them
      &&packet_b_plain_start, &&packet_b_plain_reg, &&packet_b_signed_start,
      &&packet_b_signed_reg, nullptr, nullptr, &&packet_h_plain_start, &&packet_h_plain_reg,
      &&packet_h_signed_start, &&packet_h_signed_reg, &&packet_h_turned_start,
      &&packet_h_turned_reg, &&packet_w_plain_start, &&packet_w_plain_reg,
      &&packet_w_signed_start, &&packet_w_signed_reg, &&packet_w_turned_start,
      &&packet_w_turned_reg, &&packet_d_plain_start, &&packet_d_plain_reg, nullptr, nullptr,
      nullptr, nullptr, &&test_b_eq_start, &&test_b_eq_reg, &&test_b_ne_start, &&test_b_ne_reg,
      &&test_b_set_start, &&test_b_set_reg, &&test_b_ge_start, &&test_b_ge_reg, &&test_b_lt_start,
      &&test_b_lt_reg, &&test_h_eq_start, &&test_h_eq_reg, &&test_h_ne_start, &&test_h_ne_reg,
      &&test_h_set_start, &&test_h_set_reg, &&test_h_ge_start, &&test_h_ge_reg, &&test_h_lt_start,
      &&test_h_lt_reg, &&test_w_eq_start, &&test_w_eq_reg, &&test_w_ne_start, &&test_w_ne_reg,
      &&test_w_set_start, &&test_w_set_reg, &&test_w_ge_start, &&test_w_ge_reg, &&test_w_lt_start,
      &&test_w_lt_reg, &&header_b, &&header_h, &&header_w, &&point, &&point_sum, &&packet_end,
      &&packet_length, &&field, &&fewer, &&enough, &&past_gt, &&past_ge, &&past_lt, &&past_le, &&past_eq, &&past_ne,
      &&verdict, &&return_verdict,
      // kFinal and what is behind it
      &&final_b, &&final_h, &&final_w,
      &&final_bb, &&final_bh, &&final_bw, &&final_hb, &&final_hh, &&final_hw, &&final_wb, &&final_wh, &&final_ww,
      &&differs_bb, &&differs_bh, &&differs_bw, &&differs_hb, &&differs_hh, &&differs_hw, &&differs_wb, &&differs_wh, &&differs_ww,
      &&equal_bb, &&equal_bh, &&equal_bw, &&equal_hb, &&equal_hh, &&equal_hw, &&equal_wb, &&equal_wh, &&equal_ww,
      &&header_past_gt, &&header_past_le, &&final_compare_ne, &&final_compare_lt,
      &&load_eq_b, &&load_ne_b, &&load_eq_h, &&load_ne_h, &&load_eq_w, &&load_ne_w,
  };
  // clang-format on
  if (labels != nullptr) {
    *labels = kLabels;
    return true;
  }

  alignas(16) std::array<std::uint8_t, kFrameBytes * kFrames> stack;
  std::array<Caller, kFrames - 1> callers;
  const std::uint64_t stack_top = reinterpret_cast<std::uint64_t>(stack.data()) + stack.size();
  Memory memory{.main = job->main,
                .second = job->second,
                .stack_bottom = stack_top,
                .stack_top = stack_top,
                .given = job->regions,
                .data = code->regions};
  std::array<std::uint64_t, kRegisters> r;
  std::size_t depth = 0;
  std::uint64_t budget = 0;
  std::uint64_t at = 0;
  std::size_t number = 0;    // Of the packet in a batch.
  std::size_t near_end = 0;  // From which packet on there is none to prefetch.
  const Op* op = nullptr;
  FaultKind fault = FaultKind::kNone;
  std::uint64_t start = 0;  // Of the packet in hand,
  std::uint32_t captured = 0;
  std::uint32_t result = 0;
  const Op* begin = nullptr;  // Of packets that are not too short.
  if (!job->packets.empty() && !code->packet_ops.empty()) {
    r[10] = stack_top;
    memory.stack_bottom = stack_top - code->stack_bytes;
    begin = code->packet_ops.data() + code->begin;
    if (code->prefetched && job->packets.size() > kPrefetchAhead) {
      near_end = job->packets.size() - kPrefetchAhead;
    }
    goto next_packet;
  }

again:
  r.fill(0);
  r[1] = job->r1;
  r[2] = job->r2;
  if (!job->packets.empty()) {
    const UserPacket& packet = job->packets[number];
    job->context->data = reinterpret_cast<std::uint64_t>(packet.data);
    job->context->data_end = job->context->data + packet.captured;
    job->context->length = packet.length;
    memory.main = {.address = job->context->data, .size = packet.captured};
    if (number + kPrefetchAhead < job->packets.size()) {
      // As a number, for an empty packet may be a null pointer; a prefetch minds no address.
      const auto ahead =
          reinterpret_cast<std::uintptr_t>(job->packets[number + kPrefetchAhead].data);
      __builtin_prefetch(reinterpret_cast<const void*>(ahead));
      __builtin_prefetch(reinterpret_cast<const void*>(ahead + 64));
    }
  }
  r[10] = stack_top;
  memory.stack_bottom = stack_top - code->stack_bytes;
  if (code->stack_bytes != 0) {
    std::memset(stack.data() + stack.size() - code->stack_bytes, 0, code->stack_bytes);
  }
  budget = code->budget;
  op = code->ops.data();
  // clang-format off
  goto *op->handler;

  add32_imm: r[op->dst] = low(r[op->dst] + op->value); goto *(++op)->handler;
  add32_reg: r[op->dst] = low(r[op->dst] + r[op->src]); goto *(++op)->handler;
  add64_imm: r[op->dst] += op->value; goto *(++op)->handler;
  add64_reg: r[op->dst] += r[op->src]; goto *(++op)->handler;
  sub32_imm: r[op->dst] = low(r[op->dst] - op->value); goto *(++op)->handler;
  sub32_reg: r[op->dst] = low(r[op->dst] - r[op->src]); goto *(++op)->handler;
  sub64_imm: r[op->dst] -= op->value; goto *(++op)->handler;
  sub64_reg: r[op->dst] -= r[op->src]; goto *(++op)->handler;
  mul32_imm: r[op->dst] = low(r[op->dst] * op->value); goto *(++op)->handler;
  mul32_reg: r[op->dst] = low(r[op->dst] * r[op->src]); goto *(++op)->handler;
  mul64_imm: r[op->dst] *= op->value; goto *(++op)->handler;
  mul64_reg: r[op->dst] *= r[op->src]; goto *(++op)->handler;
  div32_imm: r[op->dst] = quotient(low(r[op->dst]), low(op->value)); goto *(++op)->handler;
  div32_reg: r[op->dst] = quotient(low(r[op->dst]), low(r[op->src])); goto *(++op)->handler;
  div64_imm: r[op->dst] = quotient(r[op->dst], op->value); goto *(++op)->handler;
  div64_reg: r[op->dst] = quotient(r[op->dst], r[op->src]); goto *(++op)->handler;
  sdiv32_imm: r[op->dst] = signed_quotient(low(r[op->dst]), low(op->value)); goto *(++op)->handler;
  sdiv32_reg: r[op->dst] = signed_quotient(low(r[op->dst]), low(r[op->src])); goto *(++op)->handler;
  sdiv64_imm: r[op->dst] = signed_quotient(r[op->dst], op->value); goto *(++op)->handler;
  sdiv64_reg: r[op->dst] = signed_quotient(r[op->dst], r[op->src]); goto *(++op)->handler;
  or32_imm: r[op->dst] = low(r[op->dst] | op->value); goto *(++op)->handler;
  or32_reg: r[op->dst] = low(r[op->dst] | r[op->src]); goto *(++op)->handler;
  or64_imm: r[op->dst] |= op->value; goto *(++op)->handler;
  or64_reg: r[op->dst] |= r[op->src]; goto *(++op)->handler;
  and32_imm: r[op->dst] = low(r[op->dst] & op->value); goto *(++op)->handler;
  and32_reg: r[op->dst] = low(r[op->dst] & r[op->src]); goto *(++op)->handler;
  and64_imm: r[op->dst] &= op->value; goto *(++op)->handler;
  and64_reg: r[op->dst] &= r[op->src]; goto *(++op)->handler;
  lsh32_imm: r[op->dst] = low(r[op->dst] << (op->value & 31)); goto *(++op)->handler;
  lsh32_reg: r[op->dst] = low(r[op->dst] << (r[op->src] & 31)); goto *(++op)->handler;
  lsh64_imm: r[op->dst] <<= op->value & 63; goto *(++op)->handler;
  lsh64_reg: r[op->dst] <<= r[op->src] & 63; goto *(++op)->handler;
  rsh32_imm: r[op->dst] = low(r[op->dst]) >> (op->value & 31); goto *(++op)->handler;
  rsh32_reg: r[op->dst] = low(r[op->dst]) >> (r[op->src] & 31); goto *(++op)->handler;
  rsh64_imm: r[op->dst] >>= op->value & 63; goto *(++op)->handler;
  rsh64_reg: r[op->dst] >>= r[op->src] & 63; goto *(++op)->handler;
  neg32_imm: r[op->dst] = low(0 - r[op->dst]); goto *(++op)->handler;
  neg64_imm: r[op->dst] = 0 - r[op->dst]; goto *(++op)->handler;
  mod32_imm: r[op->dst] = remainder(low(r[op->dst]), low(op->value)); goto *(++op)->handler;
  mod32_reg: r[op->dst] = remainder(low(r[op->dst]), low(r[op->src])); goto *(++op)->handler;
  mod64_imm: r[op->dst] = remainder(r[op->dst], op->value); goto *(++op)->handler;
  mod64_reg: r[op->dst] = remainder(r[op->dst], r[op->src]); goto *(++op)->handler;
  smod32_imm: r[op->dst] = signed_remainder(low(r[op->dst]), low(op->value)); goto *(++op)->handler;
  smod32_reg: r[op->dst] = signed_remainder(low(r[op->dst]), low(r[op->src])); goto *(++op)->handler;
  smod64_imm: r[op->dst] = signed_remainder(r[op->dst], op->value); goto *(++op)->handler;
  smod64_reg: r[op->dst] = signed_remainder(r[op->dst], r[op->src]); goto *(++op)->handler;
  xor32_imm: r[op->dst] = low(r[op->dst] ^ op->value); goto *(++op)->handler;
  xor32_reg: r[op->dst] = low(r[op->dst] ^ r[op->src]); goto *(++op)->handler;
  xor64_imm: r[op->dst] ^= op->value; goto *(++op)->handler;
  xor64_reg: r[op->dst] ^= r[op->src]; goto *(++op)->handler;
  mov32_imm: r[op->dst] = low(op->value); goto *(++op)->handler;
  mov32_reg: r[op->dst] = low(r[op->src]); goto *(++op)->handler;
  mov64_imm: r[op->dst] = op->value; goto *(++op)->handler;
  mov64_reg: r[op->dst] = r[op->src]; goto *(++op)->handler;
  movsx8_to32: r[op->dst] = low(extend<std::int8_t>(r[op->src])); goto *(++op)->handler;
  movsx8_to64: r[op->dst] = extend<std::int8_t>(r[op->src]); goto *(++op)->handler;
  movsx16_to32: r[op->dst] = low(extend<std::int16_t>(r[op->src])); goto *(++op)->handler;
  movsx16_to64: r[op->dst] = extend<std::int16_t>(r[op->src]); goto *(++op)->handler;
  movsx32_to64: r[op->dst] = extend<std::int32_t>(r[op->src]); goto *(++op)->handler;
  arsh32_imm: r[op->dst] = shift_signed(low(r[op->dst]), low(op->value)); goto *(++op)->handler;
  arsh32_reg: r[op->dst] = shift_signed(low(r[op->dst]), low(r[op->src])); goto *(++op)->handler;
  arsh64_imm: r[op->dst] = shift_signed(r[op->dst], op->value); goto *(++op)->handler;
  arsh64_reg: r[op->dst] = shift_signed(r[op->dst], r[op->src]); goto *(++op)->handler;

  ja: op += op->jump.target; goto *op->handler;
  jeq32_imm: if (low(r[op->dst]) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jeq32_reg: if (low(r[op->dst]) == low(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jeq64_imm: if (r[op->dst] == wide(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jeq64_reg: if (r[op->dst] == r[op->src]) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jgt32_imm: if (low(r[op->dst]) > static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jgt32_reg: if (low(r[op->dst]) > low(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jgt64_imm: if (r[op->dst] > wide(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jgt64_reg: if (r[op->dst] > r[op->src]) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jge32_imm: if (low(r[op->dst]) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jge32_reg: if (low(r[op->dst]) >= low(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jge64_imm: if (r[op->dst] >= wide(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jge64_reg: if (r[op->dst] >= r[op->src]) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jset32_imm: if ((low(r[op->dst]) & static_cast<std::uint32_t>(op->jump.imm)) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jset32_reg: if ((low(r[op->dst]) & low(r[op->src])) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jset64_imm: if ((r[op->dst] & wide(op->jump.imm)) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jset64_reg: if ((r[op->dst] & r[op->src]) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jne32_imm: if (low(r[op->dst]) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jne32_reg: if (low(r[op->dst]) != low(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jne64_imm: if (r[op->dst] != wide(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jne64_reg: if (r[op->dst] != r[op->src]) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsgt32_imm: if (as_signed(low(r[op->dst])) > op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsgt32_reg: if (as_signed(low(r[op->dst])) > as_signed(low(r[op->src]))) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsgt64_imm: if (as_signed(r[op->dst]) > op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsgt64_reg: if (as_signed(r[op->dst]) > as_signed(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsge32_imm: if (as_signed(low(r[op->dst])) >= op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsge32_reg: if (as_signed(low(r[op->dst])) >= as_signed(low(r[op->src]))) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsge64_imm: if (as_signed(r[op->dst]) >= op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsge64_reg: if (as_signed(r[op->dst]) >= as_signed(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jlt32_imm: if (low(r[op->dst]) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jlt32_reg: if (low(r[op->dst]) < low(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jlt64_imm: if (r[op->dst] < wide(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jlt64_reg: if (r[op->dst] < r[op->src]) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jle32_imm: if (low(r[op->dst]) <= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jle32_reg: if (low(r[op->dst]) <= low(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jle64_imm: if (r[op->dst] <= wide(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jle64_reg: if (r[op->dst] <= r[op->src]) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jslt32_imm: if (as_signed(low(r[op->dst])) < op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jslt32_reg: if (as_signed(low(r[op->dst])) < as_signed(low(r[op->src]))) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jslt64_imm: if (as_signed(r[op->dst]) < op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jslt64_reg: if (as_signed(r[op->dst]) < as_signed(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsle32_imm: if (as_signed(low(r[op->dst])) <= op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsle32_reg: if (as_signed(low(r[op->dst])) <= as_signed(low(r[op->src]))) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsle64_imm: if (as_signed(r[op->dst]) <= op->jump.imm) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  jsle64_reg: if (as_signed(r[op->dst]) <= as_signed(r[op->src])) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;

  load8: at = r[op->src] + op->value; if (!memory.readable(at, 1)) goto outside; r[op->dst] = load<std::uint8_t>(at); goto *(++op)->handler;
  load8_sx: at = r[op->src] + op->value; if (!memory.readable(at, 1)) goto outside; r[op->dst] = load<std::int8_t>(at); goto *(++op)->handler;
  load16: at = r[op->src] + op->value; if (!memory.readable(at, 2)) goto outside; r[op->dst] = load<std::uint16_t>(at); goto *(++op)->handler;
  load16_sx: at = r[op->src] + op->value; if (!memory.readable(at, 2)) goto outside; r[op->dst] = load<std::int16_t>(at); goto *(++op)->handler;
  load32: at = r[op->src] + op->value; if (!memory.readable(at, 4)) goto outside; r[op->dst] = load<std::uint32_t>(at); goto *(++op)->handler;
  load32_sx: at = r[op->src] + op->value; if (!memory.readable(at, 4)) goto outside; r[op->dst] = load<std::int32_t>(at); goto *(++op)->handler;
  load64: at = r[op->src] + op->value; if (!memory.readable(at, 8)) goto outside; r[op->dst] = load<std::uint64_t>(at); goto *(++op)->handler;

  store8_imm: at = r[op->dst] + wide(op->offset); if (!memory.writable(at, 1)) goto unwritable; store<std::uint8_t>(at, op->value); goto *(++op)->handler;
  store8_reg: at = r[op->dst] + op->value; if (!memory.writable(at, 1)) goto unwritable; store<std::uint8_t>(at, r[op->src]); goto *(++op)->handler;
  store16_imm: at = r[op->dst] + wide(op->offset); if (!memory.writable(at, 2)) goto unwritable; store<std::uint16_t>(at, op->value); goto *(++op)->handler;
  store16_reg: at = r[op->dst] + op->value; if (!memory.writable(at, 2)) goto unwritable; store<std::uint16_t>(at, r[op->src]); goto *(++op)->handler;
  store32_imm: at = r[op->dst] + wide(op->offset); if (!memory.writable(at, 4)) goto unwritable; store<std::uint32_t>(at, op->value); goto *(++op)->handler;
  store32_reg: at = r[op->dst] + op->value; if (!memory.writable(at, 4)) goto unwritable; store<std::uint32_t>(at, r[op->src]); goto *(++op)->handler;
  store64_imm: at = r[op->dst] + wide(op->offset); if (!memory.writable(at, 8)) goto unwritable; store<std::uint64_t>(at, op->value); goto *(++op)->handler;
  store64_reg: at = r[op->dst] + op->value; if (!memory.writable(at, 8)) goto unwritable; store<std::uint64_t>(at, r[op->src]); goto *(++op)->handler;

  cut16: r[op->dst] = static_cast<std::uint16_t>(r[op->dst]); goto *(++op)->handler;
  cut32: r[op->dst] = low(r[op->dst]); goto *(++op)->handler;
  cut64: goto *(++op)->handler;
  swap16: r[op->dst] = __builtin_bswap16(static_cast<std::uint16_t>(r[op->dst])); goto *(++op)->handler;
  swap32: r[op->dst] = __builtin_bswap32(low(r[op->dst])); goto *(++op)->handler;
  swap64: r[op->dst] = __builtin_bswap64(r[op->dst]); goto *(++op)->handler;

  packet_b_plain_start: r[op->dst] = load<std::uint8_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_b_plain_reg: r[op->dst] = load<std::uint8_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  packet_b_signed_start: r[op->dst] = load<std::int8_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_b_signed_reg: r[op->dst] = load<std::int8_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  packet_h_plain_start: r[op->dst] = load<std::uint16_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_h_plain_reg: r[op->dst] = load<std::uint16_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  packet_h_signed_start: r[op->dst] = load<std::int16_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_h_signed_reg: r[op->dst] = load<std::int16_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  packet_h_turned_start: r[op->dst] = __builtin_bswap16(load_as<std::uint16_t>(start + wide(op->place))); goto *(++op)->handler;
  packet_h_turned_reg: r[op->dst] = __builtin_bswap16(load_as<std::uint16_t>(r[op->src] + wide(op->place))); goto *(++op)->handler;
  packet_w_plain_start: r[op->dst] = load<std::uint32_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_w_plain_reg: r[op->dst] = load<std::uint32_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  packet_w_signed_start: r[op->dst] = load<std::int32_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_w_signed_reg: r[op->dst] = load<std::int32_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  packet_w_turned_start: r[op->dst] = __builtin_bswap32(load_as<std::uint32_t>(start + wide(op->place))); goto *(++op)->handler;
  packet_w_turned_reg: r[op->dst] = __builtin_bswap32(load_as<std::uint32_t>(r[op->src] + wide(op->place))); goto *(++op)->handler;
  packet_d_plain_start: r[op->dst] = load<std::uint64_t>(start + wide(op->place)); goto *(++op)->handler;
  packet_d_plain_reg: r[op->dst] = load<std::uint64_t>(r[op->src] + wide(op->place)); goto *(++op)->handler;
  test_b_eq_start: if ((load_as<std::uint8_t>(start + wide(op->place)) & op->mask) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_eq_reg: if ((load_as<std::uint8_t>(r[op->src] + wide(op->place)) & op->mask) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_ne_start: if ((load_as<std::uint8_t>(start + wide(op->place)) & op->mask) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_ne_reg: if ((load_as<std::uint8_t>(r[op->src] + wide(op->place)) & op->mask) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_set_start: if ((load_as<std::uint8_t>(start + wide(op->place)) & op->mask) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_set_reg: if ((load_as<std::uint8_t>(r[op->src] + wide(op->place)) & op->mask) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_ge_start: if ((load_as<std::uint8_t>(start + wide(op->place)) & op->mask) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_ge_reg: if ((load_as<std::uint8_t>(r[op->src] + wide(op->place)) & op->mask) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_lt_start: if ((load_as<std::uint8_t>(start + wide(op->place)) & op->mask) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_b_lt_reg: if ((load_as<std::uint8_t>(r[op->src] + wide(op->place)) & op->mask) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_eq_start: if ((load_as<std::uint16_t>(start + wide(op->place)) & op->mask) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_eq_reg: if ((load_as<std::uint16_t>(r[op->src] + wide(op->place)) & op->mask) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_ne_start: if ((load_as<std::uint16_t>(start + wide(op->place)) & op->mask) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_ne_reg: if ((load_as<std::uint16_t>(r[op->src] + wide(op->place)) & op->mask) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_set_start: if ((load_as<std::uint16_t>(start + wide(op->place)) & op->mask) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_set_reg: if ((load_as<std::uint16_t>(r[op->src] + wide(op->place)) & op->mask) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_ge_start: if ((load_as<std::uint16_t>(start + wide(op->place)) & op->mask) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_ge_reg: if ((load_as<std::uint16_t>(r[op->src] + wide(op->place)) & op->mask) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_lt_start: if ((load_as<std::uint16_t>(start + wide(op->place)) & op->mask) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_h_lt_reg: if ((load_as<std::uint16_t>(r[op->src] + wide(op->place)) & op->mask) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_eq_start: if ((load_as<std::uint32_t>(start + wide(op->place)) & op->mask) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_eq_reg: if ((load_as<std::uint32_t>(r[op->src] + wide(op->place)) & op->mask) == static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_ne_start: if ((load_as<std::uint32_t>(start + wide(op->place)) & op->mask) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_ne_reg: if ((load_as<std::uint32_t>(r[op->src] + wide(op->place)) & op->mask) != static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_set_start: if ((load_as<std::uint32_t>(start + wide(op->place)) & op->mask) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_set_reg: if ((load_as<std::uint32_t>(r[op->src] + wide(op->place)) & op->mask) != 0) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_ge_start: if ((load_as<std::uint32_t>(start + wide(op->place)) & op->mask) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_ge_reg: if ((load_as<std::uint32_t>(r[op->src] + wide(op->place)) & op->mask) >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_lt_start: if ((load_as<std::uint32_t>(start + wide(op->place)) & op->mask) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  test_w_lt_reg: if ((load_as<std::uint32_t>(r[op->src] + wide(op->place)) & op->mask) < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  header_b: r[op->dst] = start + wide(op->place) + (std::uint64_t{load_as<std::uint8_t>(start + op->value) & op->mask} << op->src); goto *(++op)->handler;
  header_h: r[op->dst] = start + wide(op->place) + (std::uint64_t{load_as<std::uint16_t>(start + op->value) & op->mask} << op->src); goto *(++op)->handler;
  header_w: r[op->dst] = start + wide(op->place) + (std::uint64_t{load_as<std::uint32_t>(start + op->value) & op->mask} << op->src); goto *(++op)->handler;
  point: r[op->dst] = start + wide(op->place); goto *(++op)->handler;
  point_sum: r[op->dst] = start + r[op->src] + wide(op->place); goto *(++op)->handler;
  packet_end: r[op->dst] = start + captured; goto *(++op)->handler;
  packet_length: r[op->dst] = job->packets[number].length; goto *(++op)->handler;
  field: r[op->dst] = load<std::uint32_t>(reinterpret_cast<std::uint64_t>(job->context) + op->value); goto *(++op)->handler;
  fewer: if (captured < static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  enough: if (captured >= static_cast<std::uint32_t>(op->jump.imm)) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  past_gt: if (r[op->src] > start + captured) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  past_ge: if (r[op->src] >= start + captured) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  past_lt: if (r[op->src] < start + captured) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  past_le: if (r[op->src] <= start + captured) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  past_eq: if (r[op->src] == start + captured) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  past_ne: if (r[op->src] != start + captured) { op += op->jump.target; goto *op->handler; } goto *(++op)->handler;
  final_b: result = final_verdict(*op, differs<std::uint8_t>(*op, r[op->src])); goto result_known;
  final_h: result = final_verdict(*op, differs<std::uint16_t>(*op, r[op->src])); goto result_known;
  final_w: result = final_verdict(*op, differs<std::uint32_t>(*op, r[op->src])); goto result_known;
  final_bb: result = pair_verdict(*op, differs<std::uint8_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint8_t>(op[1], r[op[1].src]))); goto result_known;
  final_bh: result = pair_verdict(*op, differs<std::uint8_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint16_t>(op[1], r[op[1].src]))); goto result_known;
  final_bw: result = pair_verdict(*op, differs<std::uint8_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint32_t>(op[1], r[op[1].src]))); goto result_known;
  final_hb: result = pair_verdict(*op, differs<std::uint16_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint8_t>(op[1], r[op[1].src]))); goto result_known;
  final_hh: result = pair_verdict(*op, differs<std::uint16_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint16_t>(op[1], r[op[1].src]))); goto result_known;
  final_hw: result = pair_verdict(*op, differs<std::uint16_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint32_t>(op[1], r[op[1].src]))); goto result_known;
  final_wb: result = pair_verdict(*op, differs<std::uint32_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint8_t>(op[1], r[op[1].src]))); goto result_known;
  final_wh: result = pair_verdict(*op, differs<std::uint32_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint16_t>(op[1], r[op[1].src]))); goto result_known;
  final_ww: result = pair_verdict(*op, differs<std::uint32_t>(*op, r[op->src]), final_verdict(op[1], differs<std::uint32_t>(op[1], r[op[1].src]))); goto result_known;
  differs_bb: if ((differs<std::uint8_t>(*op, r[op->src]) | differs<std::uint8_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_bh: if ((differs<std::uint8_t>(*op, r[op->src]) | differs<std::uint16_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_bw: if ((differs<std::uint8_t>(*op, r[op->src]) | differs<std::uint32_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_hb: if ((differs<std::uint16_t>(*op, r[op->src]) | differs<std::uint8_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_hh: if ((differs<std::uint16_t>(*op, r[op->src]) | differs<std::uint16_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_hw: if ((differs<std::uint16_t>(*op, r[op->src]) | differs<std::uint32_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_wb: if ((differs<std::uint32_t>(*op, r[op->src]) | differs<std::uint8_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_wh: if ((differs<std::uint32_t>(*op, r[op->src]) | differs<std::uint16_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  differs_ww: if ((differs<std::uint32_t>(*op, r[op->src]) | differs<std::uint32_t>(op[1], r[op[1].src])) != 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_bb: if ((differs<std::uint8_t>(*op, r[op->src]) & differs<std::uint8_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_bh: if ((differs<std::uint8_t>(*op, r[op->src]) & differs<std::uint16_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_bw: if ((differs<std::uint8_t>(*op, r[op->src]) & differs<std::uint32_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_hb: if ((differs<std::uint16_t>(*op, r[op->src]) & differs<std::uint8_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_hh: if ((differs<std::uint16_t>(*op, r[op->src]) & differs<std::uint16_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_hw: if ((differs<std::uint16_t>(*op, r[op->src]) & differs<std::uint32_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_wb: if ((differs<std::uint32_t>(*op, r[op->src]) & differs<std::uint8_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_wh: if ((differs<std::uint32_t>(*op, r[op->src]) & differs<std::uint16_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  equal_ww: if ((differs<std::uint32_t>(*op, r[op->src]) & differs<std::uint32_t>(op[1], r[op[1].src])) == 0) { op += op->jump.target; goto *op->handler; } op += 2; goto *op->handler;
  header_past_gt: r[op->dst] = start + wide(op->place) + (std::uint64_t{load_as<std::uint8_t>(start + op->value) & op->mask} << op->src); if (r[op->dst] > start + captured) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  header_past_le: r[op->dst] = start + wide(op->place) + (std::uint64_t{load_as<std::uint8_t>(start + op->value) & op->mask} << op->src); if (r[op->dst] <= start + captured) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  final_compare_ne: result = chosen(low(r[op->dst]) != static_cast<std::uint32_t>(op->final.imm) ? 1 : 0, op->verdict, op->final.other); goto result_known;
  final_compare_lt: result = chosen(low(r[op->dst]) < static_cast<std::uint32_t>(op->final.imm) ? 1 : 0, op->verdict, op->final.other); goto result_known;
  load_eq_b: r[op->dst] = load<std::uint8_t>(start + wide(op->place)); if (low(r[op->dst]) == static_cast<std::uint32_t>(op[1].jump.imm)) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  load_ne_b: r[op->dst] = load<std::uint8_t>(start + wide(op->place)); if (low(r[op->dst]) != static_cast<std::uint32_t>(op[1].jump.imm)) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  load_eq_h: r[op->dst] = load<std::uint16_t>(start + wide(op->place)); if (low(r[op->dst]) == static_cast<std::uint32_t>(op[1].jump.imm)) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  load_ne_h: r[op->dst] = load<std::uint16_t>(start + wide(op->place)); if (low(r[op->dst]) != static_cast<std::uint32_t>(op[1].jump.imm)) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  load_eq_w: r[op->dst] = load<std::uint32_t>(start + wide(op->place)); if (low(r[op->dst]) == static_cast<std::uint32_t>(op[1].jump.imm)) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  load_ne_w: r[op->dst] = load<std::uint32_t>(start + wide(op->place)); if (low(r[op->dst]) != static_cast<std::uint32_t>(op[1].jump.imm)) { op += 1 + op[1].jump.target; goto *op->handler; } op += 2; goto *op->handler;
  // clang-format on

imm64:
  r[op->dst] = op->value;
  goto*(++op)->handler;

atomic:
  at = r[op->dst] + wide(op->offset);
  fault = run_atomic(memory, *op, at, r.data());
  if (fault != FaultKind::kNone) goto faulted;
  goto*(++op)->handler;

packet:
  if (!load_packet(job->packet, *op, r.data())) {
    r[0] = 0;
    goto exit;
  }
  goto*(++op)->handler;

call_helper:
  r[0] = op->helper->function(op->helper->user, r[1], r[2], r[3], r[4], r[5]);
  goto*(++op)->handler;

call_local:
  if (depth == callers.size()) {
    fault = FaultKind::kDepth;
    goto faulted;
  }
  if (budget < code->ops.size()) goto exhausted;
  budget -= code->ops.size();
  callers[depth] = {.next = op + 1, .saved = {r[6], r[7], r[8], r[9]}};
  ++depth;
  r[10] -= kFrameBytes;
  memory.stack_bottom = r[10] - kFrameBytes;
  std::memset(reinterpret_cast<void*>(memory.stack_bottom), 0, kFrameBytes);
  op += op->jump.target;
  goto * op->handler;

return_:
  if (depth == 0) goto exit;
  --depth;
  r[6] = callers[depth].saved[0];
  r[7] = callers[depth].saved[1];
  r[8] = callers[depth].saved[2];
  r[9] = callers[depth].saved[3];
  memory.stack_bottom = r[10];
  r[10] += kFrameBytes;
  op = callers[depth].next;
  goto * op->handler;

back:  // op->jump.imm is how far back this goes.
  if (budget < static_cast<std::uint32_t>(op->jump.imm)) goto exhausted;
  budget -= static_cast<std::uint32_t>(op->jump.imm);
  op += op->jump.target;
  goto * op->handler;

next_packet : {
  const UserPacket& packet = job->packets[number];
  start = reinterpret_cast<std::uint64_t>(packet.data);
  captured = packet.captured;
  r[kStart] = start;
  if (number < near_end) {
    prefetch(*code, job->packets[number + kPrefetchAhead]);
  }
}
  if (code->registers_zeroed || code->stack_zeroed) [[unlikely]] {
    if (code->registers_zeroed) {
      std::fill(r.begin(), r.begin() + 10, 0);
    }
    if (code->stack_zeroed) {
      std::memset(stack.data() + stack.size() - code->stack_bytes, 0, code->stack_bytes);
    }
  }
  op = begin;
  if (captured < code->least_captured) [[unlikely]] {
    op = code->packet_ops.data() + code->begin_short;
  }
  goto * op->handler;

verdict:
  result = static_cast<std::uint32_t>(op->value);
result_known:
  job->verdicts[number] = result;
  if (++number == job->packets.size()) {
    return true;
  }
  goto next_packet;

return_verdict:
  job->verdicts[number] = low(r[0]);
  if (++number == job->packets.size()) {
    return true;
  }
  goto next_packet;

exit:
  if (job->packets.empty()) {
    job->r0 = r[0];
    return true;
  }
  job->verdicts[number] = low(r[0]);
  if (++number == job->packets.size()) {
    return true;
  }
  depth = 0;
  goto again;

outside:
  fault = FaultKind::kOutside;
  goto faulted;
unwritable:
  fault =
      memory.readable(at, stored_bytes(*code, *op)) ? FaultKind::kReadOnly : FaultKind::kOutside;
  goto faulted;
exhausted:
  fault = FaultKind::kBudget;
faulted:
  job->fault = {.kind = fault, .instruction = op->index, .address = at, .packet = number};
  return false;
}

}  // namespace

bool execute(const Code& code, Job& job) {
  if (code.loop != nullptr && !job.packets.empty()) {
    code.loop(code, job);
    return true;
  }
  return interpret(&code, &job, nullptr);
}

std::span<const void* const> handlers() {
  const void* const* labels = nullptr;
  interpret(nullptr, nullptr, &labels);
  return {labels, handler::kCount};
}

}  // namespace weir::vm
