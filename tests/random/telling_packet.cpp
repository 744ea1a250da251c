#include "tests/random/telling_packet.h"

#include <algorithm>

namespace weir::random {
namespace {

void write(const Field& field, std::vector<std::uint8_t>& bytes) {
  const std::size_t at = field.at + (field.behind_header ? 4U * (bytes[14] & 15U) : 0U);
  for (std::size_t i = 0; i < field.width && at + i < bytes.size(); ++i) {
    bytes[at + i] = static_cast<std::uint8_t>(field.number >> 8 * (field.width - 1 - i));
  }
}

}  // namespace

std::vector<Field> compared_fields(const cbpf::Program& program) {
  std::vector<Field> fields;
  Field last;
  for (const cbpf::Instruction& i : program.instructions) {
    const cbpf::Code mode = cbpf::mode_of(i.code);
    if (cbpf::class_of(i.code) == cbpf::kLd && (mode == cbpf::kAbs || mode == cbpf::kInd)) {
      last = {i.k, mode == cbpf::kInd, cbpf::width_of(i.code), 0};
    } else if (cbpf::class_of(i.code) == cbpf::kJmp && cbpf::source_of(i.code) == cbpf::kK &&
               last.at < 100) {
      last.number = i.k;
      fields.push_back(last);
      if (cbpf::op_of(i.code) == cbpf::kJset) {
        last.number = 0;
        fields.push_back(last);
      }
    }
  }
  return fields;
}

RandomPacket telling_packet(const std::vector<Field>& fields, Choices& choices) {
  RandomPacket packet = random_packet(choices);
  if (choices.chance(10)) {
    return packet;
  }
  packet.bytes.resize(110);
  packet.bytes[14] = choices.pick<std::uint8_t>({0x45, 0x45, 0x45, 0x40, 0x41, 0x42, 0x46});
  packet.bytes[20] = 0;
  const auto write_one_of = [&](std::size_t count) {
    if (count != 0) {
      write(fields[choices.below(static_cast<std::uint32_t>(count))], packet.bytes);
    }
  };
  for (std::size_t n = choices.pick<std::size_t>({2, 4, 2 * fields.size()}); n > 0; --n) {
    write_one_of(fields.size());
  }
  write_one_of(std::min<std::size_t>(fields.size(), 4));  // Which often say what packet it is.
  packet.bytes.resize(10 + choices.below(70));
  packet.wire_length = 110;
  return packet;
}

}  // namespace weir::random
