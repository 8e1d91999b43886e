// A network switch for tests where the kernel has no netem: joins a TAP device in each of some network
// namespaces, and delays or loses what goes through it.
//
//   tap_switch DEVICE DELAY_US NAMESPACE...
//
// Prints "ready" when the devices are there. Reads commands, one a line, until its input ends:
// "delay US", "loss NUMBER PERCENT" (of all that the namespace with that number sends and is sent).

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Port {
  int fd = -1;
  std::array<uint8_t, 6> address{};  // of who sent last
  bool is_known = false;
  double loss = 0.0;
};

struct Frame {
  Clock::time_point due;
  uint64_t number = 0;  // frames of equal times keep their order
  size_t to = 0;
  std::vector<uint8_t> bytes;
  bool operator<(const Frame& other) const {
    return due != other.due ? due > other.due : number > other.number;
  }
};

void Check(bool good, const std::string& what) {
  if (good) return;
  std::perror(what.c_str());
  std::exit(1);
}

// A process may hold devices of many namespaces.
int OpenTap(const std::string& device, const std::string& name_space) {
  const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = ::open(("/run/netns/" + name_space).c_str(), O_RDONLY | O_CLOEXEC);
  Check(home >= 0 && there >= 0 && ::setns(there, CLONE_NEWNET) == 0, name_space);
  const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  Check(fd >= 0, "/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::snprintf(request.ifr_name, IFNAMSIZ, "%s", device.c_str());
  Check(::ioctl(fd, TUNSETIFF, &request) == 0, device);
  Check(::setns(home, CLONE_NEWNET) == 0, "setns");
  ::close(home);
  ::close(there);
  return fd;
}

class Switch {
 public:
  Switch(std::vector<Port> ports, std::chrono::microseconds delay)
      : ports_(std::move(ports)), delay_(delay) {}

  // False: the input has ended.
  bool Turn() {
    std::vector<pollfd> watched = {{.fd = 0, .events = POLLIN, .revents = 0}};
    for (const Port& port : ports_)
      watched.push_back({.fd = port.fd, .events = POLLIN, .revents = 0});
    timespec wait{.tv_sec = 1, .tv_nsec = 0};
    if (!frames_.empty()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::nanoseconds>(frames_.top().due - Clock::now());
      wait = {.tv_sec = 0, .tv_nsec = std::clamp<int64_t>(left.count(), 0, 999999999)};
    }
    static_cast<void>(::ppoll(watched.data(), watched.size(), &wait, nullptr));
    Deliver();
    for (size_t i = 0; i < ports_.size(); ++i) {
      if ((watched[i + 1].revents & POLLIN) != 0) Read(i);
    }
    Deliver();
    return watched[0].revents == 0 || Obey();
  }

 private:
  bool IsLost(double percent) { return percent > 0.0 && percent_(random_) < percent; }

  void Read(size_t from) {
    std::array<uint8_t, 65536> bytes{};
    for (;;) {
      const ssize_t size = ::read(ports_[from].fd, bytes.data(), bytes.size());
      if (size < 14) return;
      Port& port = ports_[from];
      std::copy_n(bytes.begin() + 6, 6, port.address.begin());
      port.is_known = true;
      if (IsLost(port.loss)) continue;
      const auto known = std::find_if(ports_.begin(), ports_.end(), [&](const Port& other) {
        return other.is_known &&
               std::equal(other.address.begin(), other.address.end(), bytes.begin());
      });
      for (size_t to = 0; to < ports_.size(); ++to) {
        const bool meant =
            known == ports_.end() || static_cast<size_t>(known - ports_.begin()) == to;
        if (to == from || !meant || IsLost(ports_[to].loss)) continue;
        frames_.push({.due = Clock::now() + delay_,
                      .number = next_number_++,
                      .to = to,
                      .bytes = {bytes.begin(), bytes.begin() + size}});
      }
    }
  }

  void Deliver() {
    while (!frames_.empty() && frames_.top().due <= Clock::now()) {
      const Frame& frame = frames_.top();
      static_cast<void>(!::write(ports_[frame.to].fd, frame.bytes.data(), frame.bytes.size()));
      frames_.pop();
    }
  }

  bool Obey() {
    std::array<char, 4096> bytes{};
    const ssize_t size = ::read(0, bytes.data(), bytes.size());
    if (size <= 0) return false;
    std::istringstream lines(std::string(bytes.data(), static_cast<size_t>(size)));
    for (std::string word; lines >> word;) {
      if (word == "delay") {
        int64_t us = 0;
        lines >> us;
        delay_ = std::chrono::microseconds(us);
      } else if (word == "loss") {
        size_t number = 0;
        double percent = 0.0;
        lines >> number >> percent;
        if (number < ports_.size()) ports_[number].loss = percent;
      }
    }
    std::puts("done");
    std::fflush(stdout);
    return true;
  }

  std::vector<Port> ports_;
  std::chrono::microseconds delay_;
  std::priority_queue<Frame> frames_;
  uint64_t next_number_ = 0;
  std::mt19937 random_{1};
  std::uniform_real_distribution<double> percent_{0.0, 100.0};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("tap_switch: expected DEVICE DELAY_US NAMESPACE...\n", stderr);
    return 2;
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  std::vector<Port> ports;
  for (int i = 3; i < argc; ++i) {
    Port& port = ports.emplace_back();
    port.fd = OpenTap(argv[1], argv[i]);
  }
  Switch joined(std::move(ports), std::chrono::microseconds(std::atoll(argv[2])));
  std::puts("ready");
  std::fflush(stdout);
  while (joined.Turn()) {
  }
  return 0;
}
