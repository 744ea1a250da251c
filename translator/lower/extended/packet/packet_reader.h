// How the lowering reads packet bytes: one interface, one implementation a way of access.
//
// A reader knows, at each point, how much of the packet has been proved to be there: needs that say
// nothing new cost nothing, and a load never reads what was not proved, whatever the shape of the
// function. The knowledge travels along edges and where they meet the lesser remains.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "translator/ir/function.h"
#include "translator/lower/extended/builder.h"
#include "translator/lower/extended/exits.h"
#include "translator/lower/target/target.h"

namespace weir::lower {

// A place in the packet: `id` names the base in the IR (kNoValue: none), `vreg` holds it.
struct PacketBase {
  ir::ValueId id = ir::kNoValue;
  machine::Vreg vreg = machine::kNone;
};

// What a reader works with.
struct ReaderContext {
  const ir::Function& function;
  const Target& target;
  machine::Builder& builder;
  Exits& exits;
  // By ValueId: whether anything depends on it. Other loads are not lowered.
  const std::vector<bool>& needed;
};

class PacketReader {
 public:
  PacketReader() = default;
  PacketReader(const PacketReader&) = delete;
  PacketReader& operator=(const PacketReader&) = delete;
  virtual ~PacketReader() = default;

  // Once, in the entry block; r1 is in `context`. The current block may be another one afterwards.
  virtual void begin(machine::Vreg context) = 0;

  // The context, wherever it lives now.
  virtual machine::Vreg context() const = 0;

  // Before and behind each block of the function, in order; leave_to for every edge that is taken.
  virtual void enter(ir::BlockId block) = 0;
  virtual void leave_to(ir::BlockId block) = 0;

  // Ends the filter with 0 unless base + end bytes are captured, over the natural numbers. False
  // when that can never be: the filter must end here.
  virtual bool need(PacketBase base, std::uint64_t end) = 0;

  // The same, but goes on elsewhere: `leave` is called once what it takes to compare is there, and
  // gives the block to go to, one without parameters, where no more is known than before. False
  // when base + end bytes can never be there; then nothing was appended.
  virtual bool has(PacketBase base, std::uint64_t end,
                   const std::function<machine::BlockId()>& leave) = 0;

  // The bytes at base + offset; in network order if that is asked for (`reads_network_order`).
  // kNone when they can never be there: the filter must end here.
  virtual machine::Vreg load(PacketBase base, std::uint64_t offset, std::uint8_t width,
                             bool network_order) = 0;
  virtual bool reads_network_order() const = 0;
  // Whether `width` may be 8.
  virtual bool reads_wide() const { return false; }

  // The packet's wire length.
  virtual machine::Vreg length() = 0;

  // Once, behind all blocks of the function.
  virtual void finish() = 0;
};

std::unique_ptr<PacketReader> make_direct_reader(const ReaderContext& context);
std::unique_ptr<PacketReader> make_ld_abs_reader(const ReaderContext& context);
// Wants target.skb_layout. Jumps to the block `elsewhere`, which takes no parameters, when less
// than `least` bytes can be read in place, and when the bytes may lie where it cannot read.
std::unique_ptr<PacketReader> make_skb_reader(const ReaderContext& context,
                                              machine::BlockId elsewhere, std::uint32_t least);

}  // namespace weir::lower
