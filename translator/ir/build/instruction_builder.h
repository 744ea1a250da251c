// What one classic instruction that neither jumps nor returns computes, as IR.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "cbpf/program.h"
#include "translator/ir/build/bounded_builder.h"
#include "translator/ir/build/classic_loads.h"
#include "translator/ir/build/classic_semantics.h"

namespace weir::ir {

// A place in a classic program: what its variables are there, as values of the function.
class InstructionBuilder {
 public:
  InstructionBuilder(BoundedBuilder& builder, cbpf::Dialect dialect,
                     std::optional<std::uint32_t> link_header_length)
      : builder_(builder), dialect_(dialect), loads_(builder, dialect, link_header_length) {}

  // The value of variable kA, kX or kM + n.
  ValueId& operator[](std::uint32_t variable) { return state_[variable]; }

  // Appends instruction number `at`. False when the filter ends with 0 here, whatever the packet.
  bool append(const cbpf::Instruction& i, std::uint32_t at);

  // kUnsupported once a load has counted from a network header whose place is not fixed.
  const std::optional<Error>& error() const { return loads_.error(); }

 private:
  bool append_arithmetic(const cbpf::Instruction& i);
  bool append_load(const cbpf::Instruction& i, std::uint32_t at);
  bool append_load_x(const cbpf::Instruction& i, std::uint32_t at);
  void append_extension(cbpf::Extension extension);
  bool set(std::uint32_t variable, ValueId value);

  BoundedBuilder& builder_;
  const cbpf::Dialect dialect_;
  ClassicLoads loads_;
  std::array<ValueId, kVariables> state_{};
};

}  // namespace weir::ir
