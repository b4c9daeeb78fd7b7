#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "database.hpp"

// state_process open|hold|write|remember DIRECTORY [nobody]
//   open   says how opening went
//   hold   the same, and keeps the directory open until its input ends
//   write  writes two lanes in one batch, again and again, and says each sequence that is stored, until it is killed
//   remember  adds page after page to what a dedup has seen, drops all but the last 100, and says each likewise
int main(int argc, char** argv) {
  const std::string task = argv[1];
  if (argc > 3 && ::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return EXIT_FAILURE;

  auto state = flow::database::open_state(argv[2], {"sync", "home"}, [](flow::severity, std::string_view) {});
  std::cout << (state ? "open" : std::string{to_string(state.error().kind)} + ": " + to_string(state.error()))
            << std::endl;
  if (!state) return EXIT_FAILURE;
  if (task == "hold") std::cin.get();
  for (std::int64_t sequence = 1; task == "write"; ++sequence) {
    const flow::port::lane_state position{sequence, "position " + std::to_string(sequence)};
    if (!(*state)->write({{{"tokyo", 0}, position}, {{"tokyo", 1}, position}})) return EXIT_FAILURE;
    std::cout << sequence << std::endl;
  }
  for (std::int64_t from = 0; task == "remember"; ++from) {
    const flow::port::seen_page fresh{"seen", {"orders", 0}, from, from + 1, 0, std::vector<flow::occurrence>(200)};
    const flow::port::seen_page outdated{"seen", {"orders", 0}, from - 100, {}, {}, {}};
    while (!(*state)->remember({fresh}, {outdated})) ::usleep(1000);
    std::cout << from << std::endl;
  }
}
