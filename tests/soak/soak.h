/* What the programs of a soak share: random numbers, counts, and a report of them. tools/soak.sh
 * starts all of them, and judges what is left of the servers. */
#ifndef TESTS_SOAK_H
#define TESTS_SOAK_H

#include <coir.h>
#include <stdint.h>

/* A number below `count`. */
uint32_t pick(uint32_t count);

/* The file that httpd is asked for: its size, and each byte of it. (clients.c) */
#define SOAK_FILE_SIZE 300007
unsigned char soak_content(size_t i);
/* Clients, good and bad, of an echo server or of httpd; returns how much was lost. (clients.c) */
uint64_t run_clients(const char *address, bool http, coir_time duration);
/* Scopes full of work that are cancelled; returns how much was lost. (storm.c) */
uint64_t run_storms(coir_time duration);

#endif
