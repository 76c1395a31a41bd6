/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory that can be made to run out and counts what is not freed; kshim.c. */
#ifndef KSHIM_SLAB_H
#define KSHIM_SLAB_H

#include <linux/types.h>

#define GFP_NOWAIT	0u
#define __GFP_MAYSLEEP	1u
#define GFP_NOFS	__GFP_MAYSLEEP
#define GFP_KERNEL	__GFP_MAYSLEEP
#define __GFP_NOWARN	2u
#define __GFP_NORETRY	4u
#define __GFP_ZERO	8u

#define SLAB_HWCACHE_ALIGN	0u

struct kmem_cache;

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *object));
void kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *cache, void *object);
void *kmalloc(size_t size, gfp_t gfp);
void kfree(void *object);
void *kvcalloc(size_t n, size_t size, gfp_t gfp);
void kvfree(void *object);

#endif /* KSHIM_SLAB_H */
