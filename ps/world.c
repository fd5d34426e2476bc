/* Copying: see world.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "world.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLACES_MAX ((size_t)1 << 26) /* scopes and tasks; more cannot be, it is a circle */
#define BELOW_BLOCK 2048 /* how much of a stack is read along with the block on top of it */
#define STACK_MAX ((size_t)1 << 20)
#define ELSEWHERE_MAX ((size_t)64 << 10) /* of a stack that is not the task's own */

static int64_t clock_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const char *keep_text(const char *text) {
    const size_t size = strlen(text) + 1;
    return memcpy(keep(size), text, size);
}

/* ---- Structs of the target ---- */

static uint64_t word(const char *bytes, uint64_t offset) {
    uint64_t value;
    memcpy(&value, bytes + offset, sizeof value);
    return value;
}

/* Many tasks may wait for one thing: the last word is not read twice. */
static uint64_t last_address, last_word;

static uint64_t read_word(const struct world *world, uint64_t address) {
    if (address == last_address)
        return last_word;
    last_address = address;
    if (!world->target->kind->read(world->target, address, &last_word, sizeof last_word))
        last_word = 0;
    return last_word;
}

static const char *read_text(const struct world *world, uint64_t address) {
    char text[NAME_SIZE];
    return address != 0 && target_read_text(world->target, address, text, sizeof text)
               ? keep_text(text)
               : NULL;
}

/* ---- Waits ---- */

static enum wait_kind kind_of(const struct table *table, uint64_t what) {
    const struct {
        uint64_t what;
        enum wait_kind kind;
    } kinds[] = {{table->what_mutex, WAIT_LOCK},          {table->what_read, WAIT_LOCK},
                 {table->what_write, WAIT_LOCK},          {table->what_once, WAIT_ONCE},
                 {table->what_join, WAIT_JOIN},           {table->what_close, WAIT_SCOPE},
                 {table->what_start, WAIT_SCOPE},         {table->what_next, WAIT_SCOPE},
                 {table->what_sleep, WAIT_SLEEP},         {table->what_ends, WAIT_SEVERAL},
                 {table->what_select, WAIT_SEVERAL},      {table->what_send, WAIT_CHANNEL},
                 {table->what_receive, WAIT_CHANNEL},     {table->what_items, WAIT_ITEMS},
                 {table->what_condition, WAIT_CONDITION}, {table->what_limiter, WAIT_LIMITER},
                 {table->what_barrier, WAIT_BARRIER},     {table->what_offload, WAIT_FUNCTION},
                 {table->what_lookup, WAIT_LOOKUP}};
    for (size_t i = 0; what != 0 && i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].what == what)
            return kinds[i].kind;
    return WAIT_PLAIN;
}

static uint64_t holder(const struct world *world, uint64_t address) {
    const uint64_t task = read_word(world, address);
    return task > 1 ? task : 0; /* 1: a mutex whose owner is dead */
}

/* What its object tells. */
static void look_at_object(const struct world *world, const struct table *table, uint64_t address,
                           struct wait *wait) {
    switch (wait->kind) {
    case WAIT_LOCK:
        wait->task =
            holder(world, wait->object + (wait->what == table->what_mutex ? table->mutex_owner
                                                                          : table->rwlock_owner));
        if (wait->what == table->what_write)
            wait->counts[0] = read_word(world, wait->object + table->rwlock_readers);
        break;
    case WAIT_ONCE:
        wait->task = holder(world, wait->object + table->once_runner);
        break;
    case WAIT_CONDITION:
        wait->lock = read_word(world, address + table->sleeper_lock);
        wait->task = holder(world, wait->lock + table->mutex_owner);
        break;
    case WAIT_JOIN:
        wait->task = wait->object;
        break;
    case WAIT_SCOPE:
        wait->text = read_text(world, read_word(world, wait->object + table->scope_name));
        break;
    case WAIT_CHANNEL:
        wait->counts[0] = read_word(world, wait->object + table->channel_count);
        wait->counts[1] = read_word(world, wait->object + table->channel_capacity);
        break;
    case WAIT_ITEMS:
        wait->counts[0] = read_word(world, wait->object + table->channel_sent) -
                          read_word(world, wait->object + table->channel_finished);
        break;
    case WAIT_LIMITER:
        wait->counts[0] = read_word(world, wait->object + table->limiter_held);
        wait->counts[1] = read_word(world, wait->object + table->limiter_limit);
        break;
    case WAIT_BARRIER:
        wait->counts[0] = (uint32_t)read_word(world, wait->object + table->barrier_waiting);
        wait->counts[1] = (uint32_t)read_word(world, wait->object + table->barrier_parties);
        break;
    case WAIT_LOOKUP:
        wait->text = read_text(world, wait->object);
        break;
    default:
        break;
    }
}

static struct wait *copy_wait(const struct world *world, const struct table *table,
                              const struct piece *near, uint64_t address) {
    static char bytes[OBJECT_SIZE_MAX];
    struct wait *const wait = keep(sizeof *wait);
    *wait = (struct wait){.kind = WAIT_PLAIN};
    const struct piece *const fetched = copies_get(address);
    wait->address = address;
    if (!read_near(world->target, fetched != NULL ? fetched : near, address, bytes,
                   table->waiter_size))
        return wait;
    wait->what = word(bytes, table->waiter_what);
    wait->object = word(bytes, table->waiter_object);
    wait->number = (int64_t)word(bytes, table->waiter_number);
    wait->numbered = bytes[table->waiter_numbered] != 0;
    wait->since = (int64_t)word(bytes, table->waiter_since);
    wait->kind = kind_of(table, wait->what);
    look_at_object(world, table, address, wait);
    return wait;
}

/* ---- Stacks and registers ---- */

/* The running task: where its thread is, mostly on the task's stack. */
static void copy_running(const struct world *world, const struct runtime *runtime,
                         struct task *task) {
    struct registers *const registers = keep(sizeof *registers);
    task->sp = 0;
    if (!world->target->kind->registers(world->target, runtime->thread, registers))
        return;
    const uint64_t top = task->stack + task->stack_size;
    const uint64_t sp = registers->value[world->target->machine == EM_AARCH64 ? 31 : 7];
    task->registers = registers;
    if (sp >= task->stack && sp < top) {
        task->sp = sp;
        if (world->with_stacks)
            task->pieces[0] = copy_piece(world->target, sp, top);
        return;
    }
    /* aside, in a handler of signals for example, from where it leads back to the task's own */
    for (size_t size = ELSEWHERE_MAX; task->pieces[0].bytes == NULL && size >= 4096; size /= 2)
        task->pieces[0] = copy_piece(world->target, sp, sp + size);
    task->pieces[1] = copy_piece(world->target, task->stack, top);
}

/* Whether the frame in which the task will go on is the one it was born with. */
static bool never_ran(const struct table *table, const struct task *task,
                      const struct piece *stack) {
    return task->sp >= stack->low && task->sp <= stack->high &&
           table->frame_size <= stack->high - task->sp &&
           word(stack->bytes + (task->sp - stack->low), table->frame[PC]) == table->fresh;
}

/* The block of a task with the stack below it: what was fetched before, if that is all that is
 * wanted, or read now. Of a very large stack only the part furthest in, apart from the block. */
static struct piece copy_block(const struct world *world, const struct table *table,
                               uint64_t address) {
    const struct piece *const fetched = copies_get(address);
    if (fetched != NULL && word(fetched->bytes + (address - fetched->low), table->task_sp) >=
                               (world->with_stacks ? fetched->low : 0))
        return *fetched;
    return copy_piece(world->target, address - BELOW_BLOCK, address + table->task_size);
}

/* Of a task that does not run. */
static void copy_stack(const struct world *world, const struct table *table, struct task *task,
                       const struct piece *near) {
    const uint64_t top = task->stack + task->stack_size;
    if (task->sp < task->stack || task->sp >= top)
        return;
    if (task->state == READY && never_ran(table, task, near)) /* such a stack is short */
        task->state = NEW;
    task->pieces[0] = *near;
    if (!world->with_stacks || task->sp >= near->low)
        return;
    const bool huge = top - task->sp > STACK_MAX;
    task->pieces[0] = copy_piece(world->target, task->sp, huge ? task->sp + STACK_MAX : near->high);
}

/* What will be wanted of the task once more, if it waits on. */
static void expect(const struct world *world, const struct table *table,
                   const struct place *place) {
    const uint64_t end = place->address + table->task_size;
    uint64_t low = place->address - BELOW_BLOCK;
    if (world->with_stacks && place->task.state != RUNNING && place->task.pieces[0].high == end)
        low = place->task.sp;
    copies_expect(place->address, low, end);
    const struct wait *const wait = place->task.wait;
    if (wait != NULL && (wait->address < low || wait->address >= end))
        copies_expect(wait->address, wait->address, wait->address + table->waiter_size);
}

/* ---- Scopes and tasks ---- */

/* What is yet to be copied, last first. */
struct todo {
    enum place_kind kind;
    uint64_t address;
    size_t parent;
    uint64_t previous; /* of a task: the link in the scope's list that leads to it */
};

static struct {
    struct todo *items;
    size_t count, room;
} todo;

static void do_later(struct todo it) {
    if (todo.count == todo.room) {
        todo.room = todo.room > 0 ? 2 * todo.room : 4096;
        todo.items = enlarge(todo.items, todo.room * sizeof *todo.items);
    }
    todo.items[todo.count++] = it;
}

static struct place *add_place(struct runtime *runtime, const struct todo *it) {
    if (runtime->count == runtime->room) {
        runtime->room = runtime->room > 0 ? 2 * runtime->room : 1024;
        runtime->places = enlarge(runtime->places, runtime->room * sizeof *runtime->places);
    }
    struct place *const place = &runtime->places[runtime->count];
    *place = (struct place){.kind = MISSING,
                            .parent = it->parent,
                            .depth = runtime->count > 0 ? runtime->places[it->parent].depth + 1 : 0,
                            .address = it->address,
                            .deadline = FOREVER};
    runtime->count++;
    return place;
}

/* Who should have opened the scope: of the one in which the main task is, nobody. */
static uint64_t expected_owner(const struct runtime *runtime, const struct todo *it) {
    const struct place *const parent = &runtime->places[it->parent];
    if (parent->address == it->address)
        return 0;
    return parent->kind == SCOPE ? parent->scope.owner : parent->address;
}

/* The copy of the stack in which a scope there mostly is. */
static const struct piece *stack_around(const struct runtime *runtime, size_t index) {
    while (index > 0 && runtime->places[index].kind == SCOPE)
        index = runtime->places[index].parent;
    return runtime->places[index].kind == TASK ? &runtime->places[index].task.pieces[0] : NULL;
}

static void copy_scope(const struct world *world, struct runtime *runtime, const struct todo *it) {
    static char bytes[OBJECT_SIZE_MAX];
    const struct table *const table = runtime->table;
    const size_t index = runtime->count;
    struct place *const place = add_place(runtime, it);
    const uint64_t owner = expected_owner(runtime, it);
    const struct piece *const near = stack_around(runtime, it->parent);
    if (!read_near(world->target, near, it->address, bytes, table->scope_size) ||
        (uint32_t)word(bytes, table->scope_state) != table->scope_state_open ||
        word(bytes, table->scope_owner) != owner)
        return;
    place->kind = SCOPE;
    place->cancelled = bytes[table->scope_cancelled] != 0;
    place->deadline = (int64_t)word(bytes, table->scope_deadline);
    place->scope = (struct scope){.name = read_text(world, word(bytes, table->scope_name)),
                                  .live = word(bytes, table->scope_live),
                                  .owner = owner,
                                  .outer = word(bytes, table->scope_outer),
                                  .expired = bytes[table->scope_expired] != 0,
                                  .shielded = bytes[table->scope_shield] != 0};
    const uint64_t inner = word(bytes, table->scope_inner);
    const uint64_t head = it->address + table->scope_children;
    const uint64_t first = word(bytes, table->scope_children);
    if (inner != 0)
        do_later((struct todo){.kind = SCOPE, .address = inner, .parent = index});
    if (first != head)
        do_later((struct todo){.kind = TASK,
                               .address = first - table->task_sibling,
                               .parent = index,
                               .previous = head});
}

static uint64_t number_of(const struct world *world, const struct table *table,
                          const struct piece *near, uint64_t record) {
    uint64_t generation = 0;
    (void)read_near(world->target, near, record + table->record_generation, &generation,
                    sizeof generation);
    return generation & ((UINT64_C(1) << table->record_number_bits) - 1);
}

static void fill_task(const struct world *world, struct runtime *runtime, struct place *place,
                      const struct piece *near) {
    const struct table *const table = runtime->table;
    const char *const block = near->bytes + (place->address - near->low);
    const uint64_t wait = word(block, table->task_wait);
    struct task *const task = &place->task;
    place->kind = TASK;
    place->deadline = (int64_t)word(block, table->task_due);
    place->cancelled = (uint64_t)place->deadline == table->task_due_cut;
    if (place->cancelled)
        place->deadline = FOREVER;
    *task = (struct task){
        .number = number_of(world, table, near, word(block, table->task_record)),
        .home = word(block, table->task_home),
        .fn = word(block, table->task_fn),
        .origin = word(block, table->task_origin),
        .sp = word(block, table->task_sp),
        .stack = word(block, table->task_stack),
        .stack_size = word(block, table->task_stack_size),
        .state = place->address == runtime->current ? RUNNING
                 : wait != 0                        ? WAITING
                                                    : READY,
    };
    const size_t name_size =
        table->task_name_size < NAME_SIZE ? table->task_name_size : NAME_SIZE - 1;
    memcpy(task->name, block + table->task_name, name_size);
    if (task->state == RUNNING)
        copy_running(world, runtime, task);
    else
        copy_stack(world, table, task, near);
    if (task->state == WAITING)
        task->wait = copy_wait(world, table, &task->pieces[0], wait);
    runtime->tasks++;
}

static void copy_task(const struct world *world, struct runtime *runtime, const struct todo *it) {
    const struct table *const table = runtime->table;
    const size_t index = runtime->count;
    struct place *const place = add_place(runtime, it);
    const uint64_t scope = runtime->places[it->parent].address;
    const struct piece near = copy_block(world, table, it->address);
    if (near.bytes == NULL)
        return;
    const char *const block = near.bytes + (it->address - near.low);
    if (word(block, table->task_home) != scope ||
        word(block, table->task_sibling + 8) != it->previous)
        return;
    fill_task(world, runtime, place, &near);
    if (world->practice)
        expect(world, table, place);
    const uint64_t next = word(block, table->task_sibling);
    const uint64_t outermost = word(block, table->task_outermost);
    if (next != scope + table->scope_children)
        do_later((struct todo){.kind = TASK,
                               .address = next - table->task_sibling,
                               .parent = it->parent,
                               .previous = it->address + table->task_sibling});
    if (outermost != 0)
        do_later((struct todo){.kind = SCOPE, .address = outermost, .parent = index});
}

/* ---- Runtimes ---- */

/* What "now" is: time stands still in a core file, at about when the last turn began. */
static int64_t time_of(const struct world *world, const char *bytes, const struct table *table) {
    const int64_t virtual_now = (int64_t)word(bytes, table->runtime_virtual_now);
    if (virtual_now != 0)
        return virtual_now;
    return world->target->pid != 0 ? clock_now() : (int64_t)word(bytes, table->runtime_turn_began);
}

static bool read_runtime(const struct world *world, struct runtime *runtime) {
    static char bytes[OBJECT_SIZE_MAX];
    const struct table *const table = runtime->table;
    if (!world->target->kind->read(world->target, runtime->address, bytes, table->runtime_size))
        return false;
    runtime->thread = (long)word(bytes, table->runtime_thread);
    runtime->current = word(bytes, table->runtime_current);
    runtime->now = time_of(world, bytes, table);
    return true;
}

static void copy_runtime(const struct world *world, struct runtime *runtime) {
    const uint64_t root = runtime->address + runtime->table->runtime_root;
    runtime->count = runtime->tasks = 0;
    todo.count = 0;
    if (!read_runtime(world, runtime))
        return;
    do_later((struct todo){.kind = SCOPE, .address = root});
    while (todo.count > 0 && runtime->count < PLACES_MAX) {
        const struct todo it = todo.items[--todo.count];
        (it.kind == SCOPE ? copy_scope : copy_task)(world, runtime, &it);
    }
}

static void copy_all(const struct world *world) {
    last_address = 0;
    for (size_t i = 0; i < world->count; i++)
        copy_runtime(world, &world->runtimes[i]);
}

/* The runtimes that are listed there. More than that are none, but a circle. */
static void list_runtimes(struct world *world, const struct table *table) {
    enum { MOST = 65536 };
    uint64_t link = table->first;
    while (link != table->head && link != 0 && world->count < MOST) {
        struct runtime runtime = {.table = table, .address = link - table->runtime_listed};
        if (!read_runtime(world, &runtime))
            return;
        world->runtimes = enlarge(world->runtimes, (world->count + 1) * sizeof runtime);
        world->runtimes[world->count++] = runtime;
        link = read_word(world, link);
    }
}

/* Ends the program if no task was found, which can be so in a core file only. */
static void check_tasks(const struct world *world) {
    const struct target *const target = world->target;
    for (size_t i = 0; i < world->count; i++)
        if (world->runtimes[i].tasks > 0 || target->pid != 0)
            return;
    if (target->cut_short)
        die("the stacks of the tasks were in the part of %s that is missing", target->name);
    die("%s does not have the stacks of the tasks: gdb before 17 leaves stacks with guards out. "
        "Write it with the command `coir gcore` in gdb, or have the kernel write it (kill -ABRT)",
        target->name);
}

void world_copy(struct world *world, struct target *target, bool with_stacks) {
    *world = (struct world){.target = target, .with_stacks = with_stacks};
    const size_t tables =
        tables_find(target, world->tables, sizeof world->tables / sizeof *world->tables);
    for (size_t i = 0; i < tables; i++)
        list_runtimes(world, &world->tables[i]);
    if (world->count == 0)
        die("no Coir runs in %s: none of its threads is in coir_run", target->name);
    world->practice = target->pid != 0;
    if (world->practice)
        copy_all(world);
    world->practice = false;
    copies_forget();
    const int64_t began = clock_now();
    for (size_t i = 0; i < world->count; i++)
        target->kind->hold(target, world->runtimes[i].thread);
    copies_fetch(target);
    copy_all(world);
    target->kind->release(target);
    world->held_ns = clock_now() - began;
    check_tasks(world);
}

static void free_places(const struct runtime *runtime) {
    for (size_t n = 0; n < runtime->count; n++)
        if (runtime->places[n].kind == TASK)
            free(runtime->places[n].task.frames);
    free(runtime->places);
}

void world_free(struct world *world) {
    for (size_t i = 0; i < world->count; i++)
        free_places(&world->runtimes[i]);
    free(world->runtimes);
    free(todo.items);
    copies_free();
}
