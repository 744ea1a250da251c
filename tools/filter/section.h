// What a pcapng file has to begin with when it takes the packets of a section from the middle on.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"

namespace weir::filter {

// Gathers the section header and the interface descriptions of the section that is being read.
// Packets name their interface by its number in the section, so all descriptions are kept.
class SectionStart {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{8} << 20;

  // Looks at the next whole blocks, which have no packets among them or have them passed over. A
  // section header drops what was gathered. kUnsupported where the descriptions exceed kMaxBytes.
  Status take(Bytes blocks);

  // Whether these blocks begin with a section header, so that nothing has to come before them.
  static bool begins_section(Bytes blocks);

  // The blocks, as they were in the file.
  Bytes bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
  bool swapped_ = false;
};

}  // namespace weir::filter
