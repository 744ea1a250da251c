#include "cbpf/text/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace weir::cbpf {
namespace {

using enum OperandKind;

constexpr bool kNegated = true;
constexpr bool kDecimal = true;

constexpr Form kForms[] = {
    {"ld", kAbsolute, 0x20},
    {"ld", kIndexed, 0x40},
    {"ld", kImmediate, 0x00},
    {"ld", kScratch, 0x60},
    {"ld", kLength, 0x80},
    {"ld", kExtension, 0x20},
    {"ldi", kImmediate, 0x00},
    {"ldi", kNumber, 0x00},
    {"ldh", kAbsolute, 0x28},
    {"ldh", kIndexed, 0x48},
    {"ldh", kExtension, 0x28},
    {"ldb", kAbsolute, 0x30},
    {"ldb", kIndexed, 0x50},
    {"ldb", kExtension, 0x30},
    {"ldxb", kHeaderLength, 0xb1},
    {"ldx", kImmediate, 0x01},
    {"ldx", kScratch, 0x61},
    {"ldx", kLength, 0x81},
    {"ldx", kHeaderLength, 0xb1},
    {"ldxi", kImmediate, 0x01},
    {"ldxi", kNumber, 0x01},
    {"st", kScratch, 0x02},
    {"stx", kScratch, 0x03},
    {"ja", kLabel, 0x05},
    {"jmp", kLabel, 0x05},
    {"jeq", kImmediate, 0x15},
    {"jeq", kRegisterX, 0x1d},
    {"jne", kImmediate, 0x15, kNegated},
    {"jne", kRegisterX, 0x1d, kNegated},
    {"jneq", kImmediate, 0x15, kNegated},
    {"jneq", kRegisterX, 0x1d, kNegated},
    {"jgt", kImmediate, 0x25},
    {"jgt", kRegisterX, 0x2d},
    {"jle", kImmediate, 0x25, kNegated},
    {"jle", kRegisterX, 0x2d, kNegated},
    {"jge", kImmediate, 0x35},
    {"jge", kRegisterX, 0x3d},
    {"jlt", kImmediate, 0x35, kNegated},
    {"jlt", kRegisterX, 0x3d, kNegated},
    {"jset", kImmediate, 0x45},
    {"jset", kRegisterX, 0x4d},
    {"add", kImmediate, 0x04, !kNegated, kDecimal},
    {"add", kRegisterX, 0x0c},
    {"sub", kImmediate, 0x14, !kNegated, kDecimal},
    {"sub", kRegisterX, 0x1c},
    {"mul", kImmediate, 0x24, !kNegated, kDecimal},
    {"mul", kRegisterX, 0x2c},
    {"div", kImmediate, 0x34, !kNegated, kDecimal},
    {"div", kRegisterX, 0x3c},
    {"or", kImmediate, 0x44},
    {"or", kRegisterX, 0x4c},
    {"and", kImmediate, 0x54},
    {"and", kRegisterX, 0x5c},
    {"lsh", kImmediate, 0x64, !kNegated, kDecimal},
    {"lsh", kRegisterX, 0x6c},
    {"rsh", kImmediate, 0x74, !kNegated, kDecimal},
    {"rsh", kRegisterX, 0x7c},
    {"neg", kNone, 0x84},
    {"mod", kImmediate, 0x94, !kNegated, kDecimal},
    {"mod", kRegisterX, 0x9c},
    {"xor", kImmediate, 0xa4},
    {"xor", kRegisterX, 0xac},
    {"tax", kNone, 0x07},
    {"txa", kNone, 0x87},
    {"ret", kImmediate, 0x06, !kNegated, kDecimal},
    {"ret", kRegisterA, 0x16},
};

struct ExtensionName {
  std::string_view name;
  Extension extension;
};

// Names beside those of extension_name(): libpcap's listing has "vlanp" and "random", bpf_asm
// "vlan_pr".
constexpr ExtensionName kOtherNames[] = {
    {"vlanp", Extension::kVlanAvail},
    {"vlan_pr", Extension::kVlanAvail},
    {"random", Extension::kRandom},
    {"vlan_tpr", Extension::kVlanTpid},
};

constexpr std::uint32_t kLastOffset =
    kAncillaryOffset + static_cast<std::uint32_t>(Extension::kVlanTpid);

// How many slips apart two words are: letters wrong, missing, too many, or two exchanged.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  // distance[i][j] is that of the first i letters of `a` from the first j of `b`.
  std::vector<std::vector<std::size_t>> distance(a.size() + 1,
                                                 std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        distance[i][j] = i + j;
        continue;
      }
      const std::size_t wrong = distance[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      distance[i][j] = std::min({wrong, distance[i - 1][j] + 1, distance[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[a.size()][b.size()];
}

// Keeps the nearest of the words it is shown. One slip in a short word, two in a longer one.
class Nearest {
 public:
  explicit Nearest(std::string_view word)
      : word_(lower_case(word)), limit_(word.size() < 4 ? 1 : 2) {}

  void offer(std::string_view candidate) {
    // A long word is near to none of ours; do not spend quadratic time on it.
    if (word_.size() > candidate.size() + limit_) {
      return;
    }
    const std::size_t distance = edit_distance(word_, candidate);
    if (distance <= limit_ && (best_.empty() || distance < distance_)) {
      best_ = candidate;
      distance_ = distance;
    }
  }
  std::string text() const {
    return best_.empty() ? "" : fmt::format(" (did you mean '{}'?)", best_);
  }

 private:
  std::string word_;
  std::size_t limit_;
  std::size_t distance_ = 0;
  std::string_view best_;
};

}  // namespace

std::span<const Form> forms() { return kForms; }

const Form* find_form(std::string_view mnemonic, OperandKind operand) {
  for (const Form& form : kForms) {
    if (form.operand == operand && form.mnemonic == mnemonic) {
      return &form;
    }
  }
  return nullptr;
}

const Form* find_form(std::uint16_t code) {
  for (const Form& form : kForms) {
    if (form.code == code && !form.negated) {
      return &form;
    }
  }
  return nullptr;
}

const Form* find_negated_form(std::uint16_t code) {
  for (const Form& form : kForms) {
    if (form.code == code && form.negated) {
      return &form;
    }
  }
  return nullptr;
}

bool is_mnemonic(std::string_view word) {
  return std::any_of(std::begin(kForms), std::end(kForms),
                     [word](const Form& form) { return form.mnemonic == word; });
}

std::optional<Extension> extension_by_name(std::string_view name) {
  for (std::uint32_t k = kAncillaryOffset; k <= kLastOffset; k += 4) {
    const std::optional<Extension> extension = extension_at(k);
    if (extension && extension_name(*extension) == name) {
      return extension;
    }
  }
  for (const ExtensionName& other : kOtherNames) {
    if (other.name == name) {
      return other.extension;
    }
  }
  return std::nullopt;
}

bool is_length(std::string_view name) { return name == "len" || name == "pktlen"; }

bool is_reserved(std::string_view word) {
  const std::string name = lower_case(word);
  return name == "x" || name == "a" || name == "m" || is_length(name) || is_mnemonic(name) ||
         extension_by_name(name).has_value();
}

std::string suggest_mnemonic(std::string_view word) {
  Nearest nearest(word);
  for (const Form& form : kForms) {
    nearest.offer(form.mnemonic);
  }
  return nearest.text();
}

std::string suggest_extension(std::string_view word) {
  Nearest nearest(word);
  nearest.offer("len");
  for (std::uint32_t k = kAncillaryOffset; k <= kLastOffset; k += 4) {
    if (const std::optional<Extension> extension = extension_at(k)) {
      nearest.offer(extension_name(*extension));
    }
  }
  return nearest.text();
}

std::string operand_text(const Form& form, std::uint32_t k) {
  const auto decimal = static_cast<std::int32_t>(k);
  switch (form.operand) {
    case kNone:
    case kRegisterX:
    case kRegisterA:
      return form.operand == kNone ? "" : std::string(kind_name(form.operand));
    case kImmediate:
      return form.decimal ? fmt::format("#{}", decimal) : fmt::format("#{:#x}", k);
    case kAbsolute:
      return fmt::format("[{}]", decimal);
    case kIndexed:
      return fmt::format("[x + {}]", decimal);
    case kScratch:
      return fmt::format("M[{}]", decimal);
    case kHeaderLength:
      return fmt::format("4*([{}]&0xf)", decimal);
    case kNumber:
    case kLength:
    case kExtension:
    case kLabel:
      return "";
  }
  return "";
}

}  // namespace weir::cbpf
