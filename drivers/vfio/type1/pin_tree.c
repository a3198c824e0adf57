// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of the pages of a mapping that emulated devices have pinned, ordered
 * by page.  Everything here runs with the container's lock held.
 */
#include <linux/rbtree.h>

#include "private.h"

/**
 * type1_pin_from - find the first pin from a page on
 * @m: a mapping
 * @index: a page of it
 *
 * Return: the first pin at or after the page, or NULL.
 */
struct type1_pin *type1_pin_from(struct type1_mapping *m, unsigned long index)
{
	struct rb_node *node = m->pins.rb_node;
	struct type1_pin *pin, *found = NULL;

	while (node) {
		pin = rb_entry(node, struct type1_pin, node);
		if (pin->index < index) {
			node = node->rb_right;
		} else {
			found = pin;
			node = node->rb_left;
		}
	}
	return found;
}

/**
 * type1_next_pin - find the next pin in the order of pages
 * @pin: a pin
 *
 * Return: the next one, or NULL.
 */
struct type1_pin *type1_next_pin(struct type1_pin *pin)
{
	return rb_entry_safe(rb_next(&pin->node), struct type1_pin, node);
}

/**
 * type1_find_pin - find the pin of a page
 * @m: a mapping
 * @index: a page of it
 *
 * Return: the pin, or NULL.
 */
struct type1_pin *type1_find_pin(struct type1_mapping *m, unsigned long index)
{
	struct type1_pin *pin = type1_pin_from(m, index);

	return pin && pin->index == index ? pin : NULL;
}

static bool pin_before(struct rb_node *node, const struct rb_node *parent)
{
	return rb_entry(node, struct type1_pin, node)->index <
	       rb_entry(parent, struct type1_pin, node)->index;
}

/**
 * type1_insert_pin - put a pin into a mapping's tree
 * @m: the mapping, which has no pin of that page
 * @pin: the pin
 */
void type1_insert_pin(struct type1_mapping *m, struct type1_pin *pin)
{
	rb_add(&pin->node, &m->pins, pin_before);
	m->nr_pins++;
}

/**
 * type1_remove_pin - take a pin out of its mapping's tree
 * @m: the mapping
 * @pin: the pin
 */
void type1_remove_pin(struct type1_mapping *m, struct type1_pin *pin)
{
	rb_erase(&pin->node, &m->pins);
	m->nr_pins--;
}
