#include "cbpf/base/sigbus_guard.h"

#include <sys/mman.h>

#include <atomic>
#include <csignal>

namespace weir {
namespace {

std::atomic<std::uintptr_t> g_begin = 0;
std::atomic<std::uintptr_t> g_end = 0;
std::atomic<bool> g_broken = false;
struct sigaction g_old_bus;

constexpr std::uintptr_t kPage = 4096;

void on_bus_error(int number, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (address >= g_begin && address < g_end) {
    char* const page = static_cast<char*>(info->si_addr) - address % kPage;
    if (::mmap(page, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == page) {
      g_broken = true;
      return;
    }
  }
  // Happens again at once, and then as if nobody had been here.
  ::sigaction(number, &g_old_bus, nullptr);
}

}  // namespace

SigbusGuard::SigbusGuard() {
  forget();
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, &g_old_bus);
}

SigbusGuard::~SigbusGuard() {
  forget();
  ::sigaction(SIGBUS, &g_old_bus, nullptr);
}

void SigbusGuard::watch(const std::uint8_t* begin, std::size_t size) {
  g_begin = 0;
  g_end = reinterpret_cast<std::uintptr_t>(begin) + size;
  g_begin = reinterpret_cast<std::uintptr_t>(begin);
  g_broken = false;
}

bool SigbusGuard::broken() const { return g_broken; }

}  // namespace weir
