#include <butterdb/store/store.hpp>

#include <memory_resource>

int main() {
    butterdb::store db(*std::pmr::new_delete_resource(), {1 << 20, 1});
    const butterdb::time_point now{};
    const bool stored = db.put("name", "samarth", now);
    return stored && db.get("name", now) == "samarth" ? 0 : 1;
}
