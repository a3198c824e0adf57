/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How igbvf-vfio-pci tracks what a VF writes into transmit rings: a model for
 * spin.  dma_log.pml is the one for receive buffers.
 *
 * The device writes descriptors back to the ring that its registers name.  The
 * registers stay mapped to the guest, so the driver samples them: now and then
 * in the worker, on each access to page 0, and at the start of each REPORT.
 *
 * One property is checked: a REPORT returns each ring that the device had
 * written to when the REPORT began, unless a REPORT has returned it after the
 * write.
 */

#define RINGS 3
#define BIT(ring) (1 << (ring))

/* The device: TDBA, TXDCTL.ENABLE, and whether a write is under way */
byte base;
bit on = 1, busy;

/* The driver */
byte sampled;			/* the ring of the last sample */
byte dirty;

byte owed;			/* rings written to, and not reported after that */

/* Under the state lock */
inline sample()
{
	d_step {
		if
#ifndef ONLY_CURRENT
		:: base != sampled -> dirty = dirty | BIT(sampled)
#endif
		:: else
		fi;
		sampled = base
	}
}

/* The guest replaces its ring twice, each time by one at another place. */
active proctype guest()
{
	do
	:: base < RINGS - 1 ->
		on = 0;
#ifndef NO_STATUS_READ
		/* It reads STATUS before the device is quiet, or after that. */
		if
		:: sample(); !busy
		:: atomic { !busy -> sample() }
		fi;
#else
		!busy;
#endif
		base++;
		on = 1
	:: else -> break
	od
}

active proctype device()
{
end:	do
	:: atomic { on && !busy -> busy = 1 }
	:: atomic { busy -> owed = owed | BIT(base); busy = 0 }
	od
}

active proctype worker()
{
end:	do
	:: sample()
	od
}

active proctype vmm()
{
	byte before, taken;

	do
	:: before = owed;
#ifndef REPORT_WITHOUT_SAMPLE
	   sample();
#endif
	   d_step {
		taken = dirty | BIT(sampled);
		dirty = 0
	   }
	   d_step {
		/* tracked */
		assert(!(before & ~taken));
		owed = owed & ~taken;
		before = 0;
		taken = 0
	   }
	od
}
