/* See kv.h. The log is an array of entries; what was written in part is not one, and the next goes
 * over it. (Open it with O_DSYNC: then it is on the disk when the write returns.) */
#include <errno.h>
#include <string.h>

#include "kv.h"

static struct kv_entry *find(const struct kv_table *table, const char *key) {
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->entries[i].key, key) == 0)
            return (struct kv_entry *)&table->entries[i];
    return NULL;
}

struct kv_entry kv_table_find(const struct kv_table *table, const char *key) {
    const struct kv_entry *const entry = find(table, key);
    return entry != NULL ? *entry : (struct kv_entry){.value = "-"};
}

static bool is_newer(const struct kv_table *table, const struct kv_entry *entry) {
    return entry->version > kv_table_find(table, entry->key).version;
}

static int put(struct kv_table *table, const struct kv_entry *entry) {
    struct kv_entry *place = find(table, entry->key);
    if (place == NULL) {
        if (table->count == KV_KEYS)
            return -ENOSPC;
        place = &table->entries[table->count++];
    }
    *place = *entry;
    return 0;
}

static int transfer(struct kv_table *table, struct kv_entry *entry, bool writing) {
    char *const bytes = (char *)entry;
    const off_t offset = (off_t)(table->records * sizeof *entry);
    for (size_t done = 0; done < sizeof *entry;) {
        const off_t at = offset + (off_t)done;
        const size_t left = sizeof *entry - done;
        const ssize_t size = writing ? coir_pwrite(table->log, bytes + done, left, at)
                                     : coir_pread(table->log, bytes + done, left, at);
        if (size <= 0)
            return size < 0 ? (int)size : -EPIPE;
        done += (size_t)size;
    }
    table->records++;
    return 0;
}

int kv_table_load(struct kv_table *table, int log) {
    struct kv_entry entry;
    int rc;
    *table = (struct kv_table){.log = log};
    while ((rc = transfer(table, &entry, false)) == 0)
        if (is_newer(table, &entry))
            COIR_TRY(put(table, &entry));
    return rc == -EPIPE ? 0 : rc; /* the end */
}

static int append(struct kv_table *table, const struct kv_entry *entry) {
    struct kv_entry record = *entry;
    if (!is_newer(table, entry))
        return 0;
    if (table->count == KV_KEYS && find(table, entry->key) == NULL)
        return -ENOSPC;
    COIR_TRY(transfer(table, &record, true));
    return put(table, &record);
}

int kv_table_keep(struct kv_table *table, const struct kv_entry *entry) {
    COIR_TRY(coir_mutex_lock(&table->appending));
    const int rc = append(table, entry);
    coir_mutex_unlock(&table->appending);
    return rc;
}
