/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What was put: a hash table of blobs, a list of containers, a sorted view for listings. */
#include "sink.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS (1u << 16)

static struct blob *buckets[BUCKETS];
static size_t nr_blobs;

static char **containers;
static size_t nr_containers;

static struct blob **sorted;
static size_t nr_sorted;
static bool sorted_is_current;

static uint32_t hash(const char *s, uint32_t h)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* Of CONTAINER/NAME without putting the two together. */
static struct blob **bucket(const char *container, const char *name)
{
	return &buckets[hash(name, hash("/", hash(container, 2166136261u))) % BUCKETS];
}

static bool is_named(const struct blob *blob, const char *container, const char *name)
{
	size_t len = strlen(container);

	return strncmp(blob->name, container, len) == 0 && blob->name[len] == '/' &&
	       strcmp(blob->name + len + 1, name) == 0;
}

bool store_has_container(const char *container)
{
	for (size_t i = 0; i < nr_containers; i++) {
		if (strcmp(containers[i], container) == 0)
			return true;
	}
	return false;
}

bool store_add_container(const char *container)
{
	if (store_has_container(container))
		return false;
	containers = xrealloc(containers, (nr_containers + 1) * sizeof(*containers));
	containers[nr_containers++] = xstrdup(container);
	return true;
}

struct blob *store_find(const char *container, const char *name)
{
	for (struct blob *blob = *bucket(container, name); blob; blob = blob->next) {
		if (is_named(blob, container, name))
			return blob;
	}
	return NULL;
}

/* A caller that changes a blob got it from here. */
struct blob *store_get(const char *container, const char *name)
{
	struct blob *blob = store_find(container, name), **head;
	size_t size = strlen(container) + strlen(name) + 2;

	sorted_is_current = false;
	if (blob)
		return blob;
	blob = xrealloc(NULL, sizeof(*blob));
	memset(blob, 0, sizeof(*blob));
	blob->name = xrealloc(NULL, size);
	strcpy(blob->name, container);
	strcat(blob->name, "/");
	strcat(blob->name, name);
	head = bucket(container, name);
	blob->next = *head;
	*head = blob;
	nr_blobs++;
	return blob;
}

void store_drop_blocks(struct blob *blob)
{
	free(blob->blocks);
	blob->blocks = NULL;
	blob->nr_blocks = 0;
}

static void blob_free(struct blob *blob)
{
	store_drop_blocks(blob);
	free(blob->meta);
	free(blob->content_type);
	free(blob->name);
	free(blob);
}

void store_remove(struct blob *blob)
{
	char *slash = strchr(blob->name, '/');
	struct blob **at;

	*slash = '\0';
	at = bucket(blob->name, slash + 1);
	while (*at != blob)
		at = &(*at)->next;
	*at = blob->next;
	blob_free(blob);
	nr_blobs--;
	sorted_is_current = false;
}

void store_clear(void)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (buckets[i]) {
			struct blob *blob = buckets[i];

			buckets[i] = blob->next;
			blob_free(blob);
		}
	}
	nr_blobs = 0;
	while (nr_containers)
		free(containers[--nr_containers]);
	sorted_is_current = false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct blob *const *)a)->name, (*(struct blob *const *)b)->name);
}

struct blob **store_sorted(size_t *nr)
{
	if (!sorted_is_current) {
		sorted = xrealloc(sorted, (nr_blobs + 1) * sizeof(*sorted));
		nr_sorted = 0;
		for (size_t i = 0; i < BUCKETS; i++) {
			for (struct blob *blob = buckets[i]; blob; blob = blob->next) {
				if (blob->committed)
					sorted[nr_sorted++] = blob;
			}
		}
		qsort(sorted, nr_sorted, sizeof(*sorted), by_name);
		sorted_is_current = true;
	}
	*nr = nr_sorted;
	return sorted;
}
