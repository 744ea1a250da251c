#include "tests/translator/jit/filter_programs.h"

#include "cbpf/compile.h"
#include "tests/engines/corpus.h"
#include "tests/translator/ir/random_subject.h"
#include "translator/translate.h"

namespace weir::jit {

std::vector<NamedProgram> corpus_programs() {
  std::vector<NamedProgram> programs;
  for (const judge::CorpusFilter& filter : judge::corpus()) {
    const int link_type = cbpf::link_type_by_name(filter.link_type).value();
    const auto classic = cbpf::compile(filter.expression, {.link_type = link_type});
    if (classic) {
      const auto program = cbpf::validate(*classic).value();
      programs.push_back({filter.name, translate(program, {.link_type = link_type}).value()});
    }
  }
  return programs;
}

std::vector<NamedProgram> random_classic_programs(random::Choices& choices, std::uint32_t count) {
  std::vector<NamedProgram> programs;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto dialect = i % 2 == 0 ? cbpf::Dialect::kLibpcap : cbpf::Dialect::kLinux;
    auto program = translate(ir::random_subject(choices, dialect));
    if (program) {
      programs.push_back({"random " + std::to_string(i), std::move(*program)});
    }
  }
  return programs;
}

}  // namespace weir::jit
