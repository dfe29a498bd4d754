/* new_only.cc : C++ containers, exceptions and threads; the program itself never names malloc. */
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct alignas(128) Line {
    char text[128];
};

static void work() {
    std::map<int, std::string> m;
    for (int i = 0; i < 2000; i++) {
        m[i % 100] += std::to_string(i);
    }
    std::unique_ptr<Line> line(new Line);
    line->text[0] = 1;
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &) {
        m.clear();
    }
}

int main() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back(work);
    }
    for (auto &t : threads) {
        t.join();
    }
    std::puts("ok");
    return 0;
}
