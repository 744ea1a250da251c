#include "xdp/hooks/stub_object.h"

#include <bpf/btf.h>
#include <elf.h>
#include <linux/bpf.h>

#include <array>
#include <bit>
#include <cstring>
#include <memory>

#include "xdp/kernel/errors.h"

namespace weir::xdp {
namespace {

constexpr char kLicense[] = "Dual BSD/GPL";
constexpr char kSection[] = "xdp";

template <typename T>
void append(std::vector<std::uint8_t>& bytes, const T& value) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof(value));
}

// A table of strings as ELF keeps them: each ends with a zero byte, the first is empty.
class StringTable {
 public:
  std::uint32_t add(const std::string& text) {
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    bytes_.push_back(0);
    return at;
  }
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_ = {0};
};

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

struct Types {
  std::vector<std::uint8_t> btf;
  std::vector<std::uint8_t> btf_ext;
};

// Where the extension header points: the types of the one function at instruction 0.
struct ExtHeader {
  std::uint16_t magic = 0xeb9f;
  std::uint8_t version = 1;
  std::uint8_t flags = 0;
  std::uint32_t header_length = 0;
  std::uint32_t func_info_offset = 0;
  std::uint32_t func_info_length = 0;
  std::uint32_t line_info_offset = 0;
  std::uint32_t line_info_length = 0;
};

std::vector<std::uint8_t> function_types(std::uint32_t section_name, std::uint32_t function) {
  // Record size, then for each section: its name, how many records, the records.
  const std::array<std::uint32_t, 5> records = {sizeof(bpf_func_info), section_name, 1, 0,
                                                function};
  ExtHeader header;
  header.header_length = sizeof(header);
  header.func_info_length = sizeof(records);
  header.line_info_offset = sizeof(records);
  std::vector<std::uint8_t> bytes;
  append(bytes, header);
  append(bytes, records);
  return bytes;
}

Result<Types> make_types(const std::string& name) {
  const std::unique_ptr<btf, FreeBtf> types(btf__new_empty());
  if (types == nullptr) {
    return tl::make_unexpected(system_error("making BTF", ENOMEM));
  }
  const int integer = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
  const int context = btf__add_struct(types.get(), "xdp_md", sizeof(xdp_md));
  const int pointer = btf__add_ptr(types.get(), context);
  const int prototype = btf__add_func_proto(types.get(), integer);
  const int parameter = btf__add_func_param(types.get(), "ctx", pointer);
  const int function = btf__add_func(types.get(), name.c_str(), BTF_FUNC_GLOBAL, prototype);
  const int section = btf__add_str(types.get(), kSection);
  std::uint32_t size = 0;
  const void* raw = btf__raw_data(types.get(), &size);
  if (parameter < 0 || function < 0 || section < 0 || raw == nullptr) {
    return tl::make_unexpected(system_error("making BTF", ENOMEM));
  }
  const auto* bytes = static_cast<const std::uint8_t*>(raw);
  return Types{
      {bytes, bytes + size},
      function_types(static_cast<std::uint32_t>(section), static_cast<std::uint32_t>(function))};
}

std::vector<std::uint8_t> stub_code() {
  bpf_insn pass{};
  pass.code = BPF_ALU64 | BPF_MOV | BPF_K;
  pass.imm = XDP_PASS;
  bpf_insn exit{};
  exit.code = BPF_JMP | BPF_EXIT;
  std::vector<std::uint8_t> bytes;
  append(bytes, pass);
  append(bytes, exit);
  return bytes;
}

// Lays sections out one after the other, their headers at the end.
class ElfWriter {
 public:
  ElfWriter() : bytes_(sizeof(Elf64_Ehdr)), headers_(1) {}

  // Gives the section's index.
  std::uint16_t add(const std::string& name, std::uint32_t type, std::uint64_t flags,
                    const std::vector<std::uint8_t>& content) {
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    Elf64_Shdr header{};
    header.sh_name = names_.add(name);
    header.sh_type = type;
    header.sh_flags = flags;
    header.sh_offset = bytes_.size();
    header.sh_size = content.size();
    header.sh_addralign = 8;
    bytes_.insert(bytes_.end(), content.begin(), content.end());
    headers_.push_back(header);
    return static_cast<std::uint16_t>(headers_.size() - 1);
  }

  // One global function that fills the section `code`.
  void add_function(const std::string& name, std::uint16_t code) {
    StringTable names;
    Elf64_Sym symbol{};
    symbol.st_name = names.add(name);
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = code;
    symbol.st_size = headers_[code].sh_size;
    std::vector<std::uint8_t> symbols(sizeof(Elf64_Sym));  // The first symbol is none.
    append(symbols, symbol);
    const std::uint16_t strings = add(".strtab", SHT_STRTAB, 0, names.bytes());
    const std::uint16_t table = add(".symtab", SHT_SYMTAB, 0, symbols);
    headers_[table].sh_link = strings;
    headers_[table].sh_info = 1;  // The first that is not local.
    headers_[table].sh_entsize = sizeof(Elf64_Sym);
  }

  std::vector<std::uint8_t> finish() && {
    const std::uint32_t name = names_.add(".shstrtab");
    const std::uint16_t last = add("", SHT_STRTAB, 0, names_.bytes());
    headers_[last].sh_name = name;
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] =
        std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_REL;
    header.e_machine = EM_BPF;
    header.e_version = EV_CURRENT;
    header.e_shoff = bytes_.size();
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<std::uint16_t>(headers_.size());
    header.e_shstrndx = last;
    std::memcpy(bytes_.data(), &header, sizeof(header));
    for (const Elf64_Shdr& section : headers_) {
      append(bytes_, section);
    }
    return std::move(bytes_);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<Elf64_Shdr> headers_;  // The first section is none.
  StringTable names_;
};

}  // namespace

Result<std::vector<std::uint8_t>> stub_object(const std::string& name) {
  const auto types = make_types(name);
  if (!types) {
    return tl::make_unexpected(types.error());
  }
  ElfWriter elf;
  const std::uint16_t code =
      elf.add(kSection, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, stub_code());
  elf.add("license", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE,
          {std::begin(kLicense), std::end(kLicense)});
  elf.add(".BTF", SHT_PROGBITS, 0, types->btf);
  elf.add(".BTF.ext", SHT_PROGBITS, 0, types->btf_ext);
  elf.add_function(name, code);
  return std::move(elf).finish();
}

}  // namespace weir::xdp
