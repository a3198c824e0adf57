/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How igbvf-vfio-pci tracks what a VF writes into receive buffers: a model for
 * spin.  Documentation/driver-api/vfio-dma-tracking.rst explains the protocol.
 * run.sh verifies the model as it is.  Then it takes out one rule after the
 * other, each by a macro, and spin must find a fault each time.
 *
 * Three properties are checked, in all interleavings of the processes:
 *  - tracked: a REPORT returns each page that the device has written since START
 *    returned, unless a REPORT has returned it after the write;
 *  - asked for: the device writes only to buffers that the guest has posted
 *    and has not taken back;
 *  - not stuck: when no process can make a step any more, each has finished its
 *    work, and the device has the guest's ring and tail.
 *
 * Pages are interchangeable, so the model of the driver follows only page 1,
 * and of the memory of rings only that of ring 0.
 *
 * The guest's processor is an x86 (TSO).  A store to the shadow page waits in a
 * store buffer, in order.  A store to the device and a trapped access wait
 * until the buffer is empty.  So does the removal of page 2 from the guest's
 * mapping, as each CPU has to acknowledge that.  Stores of descriptors are not
 * buffered: it does no harm if a later descriptor overtakes a doorbell.
 *
 * Actions are one step if no other process can see a state in between.  Taking
 * a lock and the first action under it are one step.  What the lock of the
 * dirty set protects changes in one step.
 *
 * There is one receive queue.  A VF has two, which share nothing but the locks.
 */

#ifndef N
#define N 2			/* descriptors in a ring */
#endif
#define RINGS 2			/* places for it in memory */
#define PAGES 2			/* for buffers, numbered from 1 */

/* How often each of these may happen */
#ifndef CHANGES
#define CHANGES 1		/* the guest disables or resets the ring */
#endif
#ifndef STARTS
#define STARTS 1		/* logging is started */
#endif
#ifndef PAUSES
#define PAUSES 1		/* the VF stops for a migration that is cancelled */
#endif

#define NEXT(i) ((i + 1) % N)
#define DESC(ring, i) ((ring) * N + (i))
#define BIT(page) (1 << (page))

/*
 * The rings: the page that each descriptor names, 0 if written back (DD is set)
 */
byte desc[RINGS * N];

/* The device's registers, and the page of the descriptor that it has fetched */
bit dev_en = 1;
bit dev_ring, dev_busy;
byte dev_head, dev_tail, dev_page;
bit running = 1;		/* the migration state lets the device run */

/* RXDCTL reads as enabled until the device is quiet. */
#define DEV_ENABLED (dev_en || dev_busy)

/* The shadow page's registers */
bit sh_en, sh_ring;
bit sh_fresh;			/* the guest wrote a ring's address, and 0 to RDH */
byte sh_tail;

/* What page 2 of the guest's mapping leads to */
mtype = { NOTHING, SHADOW, DEVICE };
mtype pte = DEVICE;

/* The store buffer: a register and its value */
mtype = { RING, TAIL, EN };
chan stores = [1] of { mtype, byte };

/* The driver; lock stands for memory_lock for reading and the state lock */
bit lock, memory_lock;
bit logging, woken;
bit scan;			/* START waits for the outstanding descriptors */
bit stale;			/* the generation is not what the worker saw */
bit known_en, known_ring;	/* the configuration that the device has */
byte forwarded;			/* the tail that the device has */
bit dirty, ring_dirty;		/* is page 1, or ring 0, in the dirty set? */
bit mirror[N];			/* is page 1 what was posted here last? */

/* For the properties */
byte posted;			/* pages that the guest has posted */
bit started;			/* START has returned */
bit owed, ring_owed;		/* written, and not reported after that */
bit guest_done, logger_done, states_done;
bit last_ring;
byte last_tail;

hidden byte i_;

#define LOCK !lock -> lock = 1
#define UNLOCK lock = 0
#define CLEAR(array) for (i_ : 0 .. N - 1) { array[i_] = 0 } i_ = 0

/*
 * The driver: code that several processes run, under lock
 */

/*
 * The device is quiet, and does not write to this ring or its buffers any more.
 */
inline forget_ring()
{
#ifndef RING_NOT_KEPT
	if
	:: known_ring == 0 -> ring_dirty = 1
	:: else
	fi;
#endif
	CLEAR(mirror);
	stale = 1
}

inline stop_device()
{
	dev_en = 0;
#ifdef FORGOTTEN_EARLY
	forget_ring();
	!dev_busy
#else
	!dev_busy;
	forget_ring()
#endif
}

/* Gives the device the ring, empty, and enables the device. */
inline start_device()
{
	dev_ring = known_ring;
	dev_head = (sh_fresh -> 0 : dev_head);
	sh_fresh = 0;
	forwarded = dev_head;
#ifdef RUN_WITHOUT_RECORD
	forwarded = (running -> dev_head : dev_tail);
#endif
#ifndef OLD_TAIL
	dev_tail = forwarded;
#endif
	stale = 1;
	dev_en = 1
}

/* Gives the device the configuration that was read from the shadow page. */
inline apply()
{
	if
#ifndef NO_WRITE_BACK
	:: known_en && s_en && sh_en && !DEV_ENABLED ->
		/* The guest disabled the ring before START: show it the end. */
		forget_ring();
		known_en = 0;
		s_en = 0;
		sh_en = 0
#endif
	:: known_en && (!s_en || s_ring != known_ring || sh_fresh) ->
		stop_device();
		known_en = 0
	:: else
	fi;
	if
	:: !known_en && s_en ->
		known_en = 1;
		known_ring = s_ring;
		start_device()
	:: else
	fi;
	s_en = 0;
	s_ring = 0
}

/*
 * Takes lock, and takes over the configuration.  One step, as the driver reads
 * the registers until they are the same twice, so they are those of one moment.
 */
inline take_over()
{
	LOCK;
	s_ring = sh_ring;
	s_en = sh_en;
	apply()
}

/*
 * The guest
 */

#ifdef NO_MMAP

/*
 * The VMM has not mapped page 2: accesses are trapped, and the VMM performs
 * them.
 */
#define STORE_POSSIBLE (!lock && !memory_lock)

inline store(reg, value)
{
	if
	:: logging && reg == RING -> sh_ring = value; sh_fresh = 1
	:: logging && reg == TAIL -> sh_tail = value
	:: logging && reg == EN -> sh_en = value
	:: !logging -> device_store(reg, value)
	fi;
#ifndef WRITE_WITHOUT_WAKE
	woken = 1
#endif
}

/* Reads RXDCTL until the ring is disabled; each read is trapped. */
inline wait_disabled()
{
	do
	:: trap();
	   if
	   :: logging && !sh_en -> break
	   :: !logging && !DEV_ENABLED -> break
	   :: else
	   fi
	od
}

#else

/* A fault waits for memory_lock only. */
#define STORE_POSSIBLE ((pte == SHADOW && nfull(stores)) || \
			(pte == DEVICE && empty(stores)) || \
			(pte == NOTHING && !memory_lock && empty(stores)))

inline fault()
{
	if
	:: pte == NOTHING && logging -> pte = SHADOW; woken = 1
	:: pte == NOTHING && !logging -> pte = DEVICE
	:: else
	fi
}

/* In one step with STORE_POSSIBLE */
inline store(reg, value)
{
	fault();
	if
	:: pte == SHADOW -> stores ! reg, value
	:: else -> device_store(reg, value)
	fi
}

#define DISABLED ((pte == SHADOW && !sh_en) || (pte == DEVICE && !DEV_ENABLED))

/* Reads RXDCTL until the ring is disabled. */
inline wait_disabled()
{
	do
	:: atomic { empty(stores) && DISABLED -> break }
	:: atomic { empty(stores) && pte == NOTHING && !memory_lock ->
		fault();
		if
		:: DISABLED -> break
		:: else ->
			polls = polls + (logging && !DEV_ENABLED);
			/* not stuck: the worker has run in between */
			assert(polls < 3)
		fi
	   }
	od
}

#endif

inline device_store(reg, value)
{
	if
	:: reg == RING -> dev_ring = value; dev_head = 0
	:: reg == TAIL -> dev_tail = value
	:: reg == EN -> dev_en = value
	fi
}

/* The guest reads STATUS, on page 0. */
inline trap()
{
	atomic { empty(stores) && !lock ->
		if
#ifndef TRAP_IS_NO_SYNC
		:: logging && running -> take_over(); UNLOCK
#endif
		:: else
		fi
	}
}

/* The guest sets VTCTRL.RST, on page 0. */
inline reset()
{
	LOCK;
	if
	:: known_en ->
		stop_device();
		known_en = 0
	:: else ->
		dev_en = 0;
		!dev_busy
	fi;
	sh_en = 0;
	UNLOCK
}

/* The guest empties the ring and takes all buffers back. */
inline take_back()
{
	en = 0;
	posted = 0;
	polls = 0;
	next = 0;
	rung = 0;
	clean = 0;
	CLEAR(page_at)
}

active proctype guest()
{
	bit en = 1, ring;
	byte next, rung, clean;		/* indices in the ring */
	byte page, page_at[N];
	byte changes, polls;
	bit s_en, s_ring;

	do
	:: atomic { en && NEXT(next) != clean ->
		if
		:: !(posted & BIT(1)) -> page = 1
		:: !(posted & BIT(2)) -> page = 2
		fi;
		posted = posted | BIT(page);
		page_at[next] = page;
#ifdef NO_WRITE_BARRIER
		if
		:: STORE_POSSIBLE -> rung = NEXT(next); store(TAIL, rung)
		:: true
		fi
	   }
	   atomic {
#endif
		desc[DESC(ring, next)] = page_at[next];
		page = 0;
		next = NEXT(next)
	   }
	:: atomic { en && rung != next && STORE_POSSIBLE ->
		rung = next;
		store(TAIL, rung)
	   }
	:: atomic { en && clean != rung && empty(stores) &&
		    !desc[DESC(ring, clean)] ->
		posted = posted & ~BIT(page_at[clean]);
		page_at[clean] = 0;
		clean = NEXT(clean)
	   }
#ifdef OVERWRITE
	:: atomic { en && clean != rung && desc[DESC(ring, clean)] == 1 &&
		    !(posted & BIT(2)) ->
		posted = posted | BIT(2);
		desc[DESC(ring, clean)] = 2
	   }
	:: atomic { en && clean != rung && desc[DESC(ring, clean)] == 2 &&
		    !(posted & BIT(1)) ->
		posted = posted | BIT(1);
		desc[DESC(ring, clean)] = 1
	   }
#endif
	:: atomic { en && changes < CHANGES && STORE_POSSIBLE -> store(EN, 0) }
#ifndef NO_STATUS_READ
	   trap();
#endif
	   wait_disabled();
	   atomic { take_back(); changes++ }
	:: trap()
	:: atomic { en && changes < CHANGES && empty(stores) && !lock ->
		reset();
		take_back();
		changes++
	   }
	:: atomic { !en && STORE_POSSIBLE ->
		/* The other place in memory, without descriptors */
		ring = 1 - ring;
		for (i_ : 0 .. N - 1) {
			desc[DESC(ring, i_)] = 0
		}
		i_ = 0;
		store(RING, ring)
	   }
	   atomic { STORE_POSSIBLE -> store(TAIL, 0) }
	   atomic { STORE_POSSIBLE -> store(EN, 1); en = 1 }
	:: atomic { en && rung == next -> break }
	od;
	atomic { last_ring = ring; last_tail = rung; guest_done = 1 }
}

/* The guest's processor performs the buffered stores. */
active proctype store_buffer()
{
	mtype reg;
	byte value;

end:	do
	:: d_step { stores ? reg, value ->
		if
		:: reg == RING -> sh_ring = value; sh_fresh = 1
		:: reg == TAIL -> sh_tail = value
		:: reg == EN -> sh_en = value
		fi;
		reg = 0;
		value = 0
	   }
	od
}

active proctype device()
{
end:	do
	:: d_step { running && dev_en && !dev_busy && dev_head != dev_tail ->
		dev_busy = 1;
		dev_page = desc[DESC(dev_ring, dev_head)]
	   }
#ifdef DD_FIRST
	:: d_step { dev_busy && desc[DESC(dev_ring, dev_head)] ->
		desc[DESC(dev_ring, dev_head)] = 0
	   }
	:: d_step { dev_busy && !desc[DESC(dev_ring, dev_head)] ->
#else
	   /* Data, then DD: one step, as no process reads the data. */
	:: d_step { dev_busy ->
#endif
		/* asked for */
		assert(dev_page && (posted & BIT(dev_page)));
		owed = owed || (started && dev_page == 1);
		ring_owed = ring_owed || (started && dev_ring == 0);
		desc[DESC(dev_ring, dev_head)] = 0;
		dev_head = NEXT(dev_head);
		dev_page = 0;
		dev_busy = 0
	   }
	od
}

/*
 * The worker
 */

/* Reads the descriptors from i up to last; all if i == last. */
inline read_descriptors(last)
{
	do
	:: atomic {
		found[i] = desc[DESC(ring, i)] == 1;
		i = NEXT(i);
		if
		:: i == last -> break
		:: else
		fi
	   }
	od
}

/* Under lock */
inline record(first, last)
{
	i = first;
	do
	:: mirror[i] = found[i];
#ifndef MIRROR_LATE
	   dirty = dirty || found[i];
#endif
	   i = NEXT(i);
	   if
	   :: i == last -> break
	   :: else
	   fi
	od
}

inline zap()
{
#ifdef ZAP_WITHOUT_FLUSH
	atomic { !memory_lock -> pte = NOTHING }
#else
	atomic { !memory_lock && empty(stores) -> pte = NOTHING }
#endif
}

/* For START: records all descriptors that are not written back. */
inline scan_ring()
{
	atomic { logging && scan && !lock -> ring = known_ring; stale = 0 }
	read_descriptors(0);
	atomic { !lock ->
		if
		:: !stale && known_en -> record(0, 0)
		:: else
		fi;
		scan = 0;
		started = 1;
		CLEAR(found);
		ring = 0;
		i = 0
	}
}

inline forward()
{
#ifdef MIRROR_LATE
	d_step { !lock -> dirty = dirty || (!stale && (found[0] || found[1])) }
#endif
	atomic { !lock ->
		if
#ifdef NO_RECHECK
		:: logging ->
#else
		:: !stale ->
#endif
			record(from, tail);
			dev_tail = tail;
			forwarded = tail
		:: else
		fi;
		CLEAR(found);
		ring = 0;
		from = 0;
		tail = 0;
		i = 0
	}
}

#ifdef TAIL_BEFORE_CONFIG
#define SEEN_TAIL early
#else
#define SEEN_TAIL sh_tail
#endif
#define NEWS (running && known_en && SEEN_TAIL != forwarded)

active proctype worker()
{
	bit s_en, s_ring, ring, zapped;
	bit found[N];
	byte from, tail, i;
#ifdef TAIL_BEFORE_CONFIG
	byte early;
#endif

end:	do
	:: scan_ring()
#ifdef TORN_SNAPSHOT
	:: atomic { logging && !scan && !lock -> lock = 1; s_ring = sh_ring }
	   atomic { s_en = sh_en; apply(); UNLOCK }
#else
	:: atomic { logging && !scan && !lock ->
#ifdef TAIL_BEFORE_CONFIG
		early = sh_tail
	   }
	   atomic {
#endif
		take_over();
		UNLOCK
	   }
#endif
#ifdef DESCRIPTORS_FIRST
	   ring = known_ring;
	   read_descriptors(0);
#endif
	   if
	   :: atomic { !lock && NEWS ->
		tail = SEEN_TAIL;
		from = forwarded;
		i = from;
		ring = known_ring;
		stale = 0;
		zapped = 0
#ifdef FORWARD_FIRST
		;
		dev_tail = tail
#endif
	      }
#ifndef DESCRIPTORS_FIRST
	      read_descriptors(tail);
#endif
	      forward()
	   :: atomic { !lock && !NEWS && !zapped ->
#ifdef DESCRIPTORS_FIRST
		CLEAR(found);
		ring = 0;
#endif
#ifndef WOKEN_CLEARED_LATE
		woken = 0
#endif
	      }
	      zap();
	      zapped = 1;
#ifdef NO_LOOK_AFTER_ZAP
	      goto end_sleep
#endif
	   :: atomic { !lock && !NEWS && zapped ->
#ifdef DESCRIPTORS_FIRST
		CLEAR(found);
		ring = 0;
#endif
#ifdef WOKEN_CLEARED_LATE
		woken = 0;
#endif
		goto end_sleep
	      }
	   fi
	od;
end_sleep:
	atomic { woken -> zapped = 0; goto end }
}

/*
 * The VMM: logging, and migration states
 */

inline fill()
{
	sh_en = DEV_ENABLED;
	sh_ring = dev_ring;
	sh_tail = dev_tail;
	known_en = sh_en;
	known_ring = sh_ring;
	forwarded = sh_tail
}

inline start_logging()
{
#ifdef FILL_BEFORE_ZAP
	d_step { !logging && starts < STARTS && !lock -> lock = 1; fill() }
	d_step { !memory_lock && empty(stores) ->
		pte = NOTHING;
		UNLOCK;
#else
	d_step { !logging && starts < STARTS && !lock && !memory_lock &&
		 empty(stores) ->
		pte = NOTHING;
		fill();
#endif
		starts++;
		stale = 1;
		logging = 1;
#ifdef NO_SCAN
		started = 1
#else
#ifdef START_RETURNS_EARLY
		started = 1;
#endif
		scan = 1
#endif
	}
}

/*
 * Two steps, as the lock of the dirty set is not held in between.  The VMM
 * copies the pages after REPORT has returned, so a write before the second step
 * is in the copy of a page that the first step took.
 */
inline report()
{
	d_step { started ->
		taken = dirty;
		ring_taken = ring_dirty || (known_en && known_ring == 0);
		dirty = 0;
		ring_dirty = 0;
		/* tracked */
		assert((taken || !owed) && (ring_taken || !ring_owed))
	}
	d_step {
#ifndef NO_MIRROR
		for (i_ : 0 .. N - 1) {
			dirty = dirty || mirror[i_]
		}
		i_ = 0;
#endif
		owed = owed && !taken;
		ring_owed = ring_owed && !ring_taken;
		taken = 0;
		ring_taken = 0
	}
}

inline stop_logging()
{
#ifdef READ_BEFORE_ZAP
	d_step { started && !scan && !lock -> early_tail = sh_tail }
#else
#define early_tail sh_tail
#endif
	d_step { started && !scan && !memory_lock && empty(stores) ->
		memory_lock = 1;
		pte = NOTHING;
		started = 0;
		owed = 0;
		ring_owed = 0
	}
	atomic {
		take_over();
		dev_head = (sh_fresh -> 0 : dev_head);
		dev_ring = sh_ring;
		dev_tail = early_tail;
		logging = 0;
#ifndef STOP_WITHOUT_RECHECK
		stale = 1;
#endif
		woken = 1;
		known_en = 0;
		known_ring = 0;
		forwarded = 0;
		dirty = 0;
		ring_dirty = 0;
		CLEAR(mirror);
		sh_en = 0;
		sh_ring = 0;
		sh_fresh = 0;
		sh_tail = 0;
		memory_lock = 0;
		UNLOCK
	}
}

active proctype logger()
{
	bit s_en, s_ring;
	bit taken, ring_taken;
	byte starts;
#ifdef READ_BEFORE_ZAP
	byte early_tail;
#endif

	do
	:: start_logging()
	:: report()
	:: stop_logging()
	:: !scan -> break
	od;
	logger_done = 1
}

inline stop_vf()
{
	atomic { running && pauses < PAUSES && !lock ->
		pauses++;
		lock = 1;
		running = 0;
		!dev_busy;
		if
		:: known_en ->
			forget_ring();
			if
			:: !dev_en -> known_en = 0; sh_en = 0
			:: else
			fi
		:: else
		fi;
		UNLOCK
	}
}

/* The migration was cancelled. */
inline run_vf()
{
	d_step { !running && !lock ->
		if
		:: logging ->
#ifndef RUN_WITH_OLD_CONFIG
			known_en = sh_en;
			known_ring = sh_ring;
#endif
			stale = 1;
			if
			:: known_en -> start_device()
			:: else -> dev_en = 0
			fi
		:: else
		fi;
#ifndef RUN_WITHOUT_WAKE
		woken = 1;
#endif
		running = 1
	}
}

active proctype states()
{
	byte pauses;

	do
	:: stop_vf()
	:: run_vf()
	:: running -> break
	od;
	states_done = 1
}

/* Not stuck */
active proctype watch()
{
	timeout ->
	assert(guest_done && logger_done && states_done &&
	       dev_en && dev_ring == last_ring && dev_tail == last_tail)
}
