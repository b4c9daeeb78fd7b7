// bench_fill: makes, fills and deletes the topics that the benchmarks read and write.

#include <iostream>
#include <string>

#include "client.hpp"
#include "flags.hpp"

namespace plain {
namespace {

constexpr const char* usage =
    "bench_fill --brokers B --topic T [--records N] [--size BYTES] [--partitions 6] [--setting KEY=VALUE ...]\n"
    "bench_fill --brokers B --topic T --delete\n"
    "Creates the topic and writes N records of an 8-byte key and BYTES bytes of value, in turn to each partition. The "
    "first\n"
    "byte of the values alternates, so that half of them pass --payload-filter on.\n";

void fill(const std::string& brokers, const std::string& topic, int64_t records, std::size_t size, int32_t partitions) {
  producer writer{{{"bootstrap.servers", brokers},
                   {"enable.idempotence", "true"},
                   {"linger.ms", "20"},
                   {"batch.size", "500000"},
                   {"queue.buffering.max.messages", "200000"}}};
  const auto handle = writer.topic(topic);
  std::string value(size, '.');
  for (int64_t i = 0; i < records; ++i) {
    const std::string_view key{reinterpret_cast<const char*>(&i), sizeof i};
    // By turns within each partition too, whatever their number.
    if (!value.empty()) value[0] = static_cast<char>('0' + i / partitions % 2);
    writer.send(handle.get(), {.partition = static_cast<int32_t>(i % partitions),
                               .key = key,
                               .value = value,
                               .timestamp = 0,
                               .headers = nullptr});
    if (i % 1'000 == 0) writer.poll();
  }
  writer.flush(300s);
}

int run(int argc, char** argv) {
  flags given{argc, argv};
  if (given.has("help")) {
    std::cout << usage;
    return 0;
  }
  const std::string brokers = given.text("brokers"), topic = given.text("topic");
  if (given.has("delete")) {
    given.finish();
    delete_topic(brokers, topic);
    return 0;
  }
  const auto records = given.number("records", int64_t{0});
  const auto size = given.number("size", std::size_t{100});
  const auto partitions = given.number("partitions", int32_t{6});
  properties settings{{"retention.ms", "-1"}, {"file.delete.delay.ms", "0"}};
  for (const std::string& text : given.all("setting"))
    settings.emplace_back(text.substr(0, text.find('=')), text.substr(text.find('=') + 1));
  given.finish();
  create_topic(brokers, topic, partitions, settings);
  fill(brokers, topic, records, size, partitions);
  return 0;
}

}  // namespace
}  // namespace plain

int main(int argc, char** argv) try { return plain::run(argc, argv); } catch (const plain::usage_error& e) {
  std::cerr << "bench_fill: " << e.what() << '\n' << plain::usage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "bench_fill: " << e.what() << '\n';
  return 1;
}
