// A row of the comparison while it is made. Shared by compare.cpp and kernel_rows.cpp, not for
// others.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tools/bench/compare.h"

namespace weir::bench {

struct Runner {
  Row row;
  engine::EngineId engine = engine::EngineId::kLibpcap;
  engine::Filter filter;
  bool peer = false;
  bool trusted = true;  // False: the machine is none of weir's.
  std::unique_ptr<engine::Prepared> prepared;
  std::vector<std::uint32_t> results;
  std::vector<double> times;  // ns per packet, by round.
  double first_ns = 0;        // Per packet, of the run whose results were checked.

  bool measured_by(Method method) const { return row.method == method && row.skipped.empty(); }
};

// Times the rows of the kernel's methods. Where that cannot be had on this machine (a privilege,
// packets that cannot be sent, a kernel that is too old) the rows say why.
Status measure_kernel_rows(std::vector<Runner>& runners, std::span<const cbpf::Packet> packets,
                           const CompareOptions& options, std::vector<Noise>& noise);

}  // namespace weir::bench
