/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How igbvf-vfio-pci tracks what a VF writes into transmit rings: a model for
 * spin, next to dma_log.pml, which is about receive buffers.
 *
 * The device writes descriptors back to the ring that its registers name.  They
 * stay mapped to the guest, so the driver only samples them: when the
 * worker looks, on each access to page 0, and at the begin of each REPORT.
 *
 * Checked is that a REPORT gets each ring that the device has written to before
 * the REPORT began and that no REPORT got after the write.
 */

#define RINGS 3
#define BIT(ring) (1 << (ring))

/* The device: TDBA and TXDCTL.ENABLE, and whether a write is on its way */
byte base;
bit on = 1, busy;

/* The driver */
byte sampled;			/* the ring that was seen last */
byte dirty;

byte owed;			/* written to, and not reported since */

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

/* Replaces its ring twice, each time by one at another place. */
active proctype guest()
{
	do
	:: base < RINGS - 1 ->
		on = 0;
#ifndef NO_STATUS_READ
		/* STATUS is read before the device is quiet, or after it */
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
