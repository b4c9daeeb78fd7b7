#pragma once

#include <memory>
#include <utility>

#include <flow/ports.hpp>

namespace flow::kafka {

/// Where the replies of one port object go: to the worker's mailbox, and nowhere once the object is destroyed.
class letters {
 public:
  explicit letters(std::shared_ptr<port::mailbox> mailbox) : mailbox_{std::move(mailbox)} {}

  /// Whoever gets this calls it once, from any thread.
  template <typename T>
  port::reply<T> addressed(port::reply<T> done) const {
    return [mailbox = mailbox_, alive = std::weak_ptr{alive_},
            done = std::make_shared<port::reply<T>>(std::move(done))](result<T> answer) {
      mailbox->post([alive, done, answer = std::make_shared<result<T>>(std::move(answer))] {
        // The same thread destroys the object, so what is alive now stays so until the reply has begun.
        if (!alive.expired()) (*done)(std::move(*answer));
      });
    };
  }

 private:
  std::shared_ptr<port::mailbox> mailbox_;
  std::shared_ptr<const char> alive_ = std::make_shared<const char>();
};

}  // namespace flow::kafka
