package jetstream

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

// spoil publishes what is no entry on a slot's subject, n times, and returns the last sequence.
func spoil(t *testing.T, l lab, j *Journal, s deployments.Slot, n int) (seq uint64) {
	t.Helper()
	for i := range n {
		body := []string{"garbage", `{"v":1}`, `{"v":1,"slot":{"environment":"production","service":"` + s.Service + `"},"rev":7}`, "", `{"stored":true}`}[i%5]
		ack, err := l.js.PublishMsg(t.Context(), &nats.Msg{Subject: j.subject(s), Data: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		seq = ack.Sequence
	}
	return seq
}

func TestASlotGoesOnBehindWhatCannotBeRead(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	slot := journaltest.Slots(1, 1)[0]
	first := live(t, j, slot, "a-1")
	end := spoil(t, l, j, slot, 7)
	last, err := j.Last(t.Context(), slot)
	if err != nil {
		t.Fatal(err)
	}
	if last.Rev != first.Rev || rolloutOf(last) != "a-1" || last.Sequence != end {
		t.Fatalf("the last is rev %d at %d, want rev %d at %d", last.Rev, last.Sequence, first.Rev, end)
	}
	for range 2 { // a worker that saw it all, and one that comes later
		entries, err := j.Watch(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		got := receive(t, entries)
		if got.Sequence < end || got.Rev < first.Rev || rolloutOf(got) != "a-1" {
			t.Errorf("the watch begins with %s rev %d at %d", got.Slot, got.Rev, got.Sequence)
		}
		if e := receive(t, entries); e.Sequence != 0 {
			t.Errorf("rev %d at %d comes twice", e.Rev, e.Sequence)
		}
		before := journal(t, j, slot, *got.State.Rollout)
		if e := receive(t, entries); e.Rev != before.Rev {
			t.Errorf("the next is rev %d, want %d", e.Rev, before.Rev)
		}
		end = spoil(t, l, j, slot, 1)
		if e := receive(t, entries); e.Rev != before.Rev || e.Sequence != end {
			t.Errorf("garbage came as rev %d at %d, want rev %d at %d", e.Rev, e.Sequence, before.Rev, end)
		}
	}
	journal(t, j, slot, *first.State.Rollout)
	all, err := j.All(t.Context())
	if err != nil || len(all) != 1 || all[0].Rev != first.Rev+3 {
		t.Errorf("all: %d entries, %v", len(all), err)
	}
	equal(t, "history", times(6, "a-1"), left(t, j, slot))
	if got, err := (Reader{JS: l.js}).Slots(t.Context(), ""); err != nil || len(got) != 1 {
		t.Errorf("slots: %d, %v", len(got), err)
	}
}

func TestASlotThatBeginsWithWhatCannotBeReadIsFree(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	slot := journaltest.Slots(2, 1)[0]
	end := spoil(t, l, j, slot, 2)
	last, err := j.Last(t.Context(), slot)
	if err != nil || last.Rev != 0 || last.Sequence != end {
		t.Fatalf("rev %d at %d, %v, want none at %d", last.Rev, last.Sequence, err, end)
	}
	if got, err := (Reader{JS: l.js}).Last(t.Context(), slot); err != nil || got.Rev != 0 {
		t.Errorf("rev %d, %v", got.Rev, err)
	}
	lived(t, j, slot, "a-1")
	entries, err := j.Rollout(t.Context(), journal(t, j, slot, *live(t, j, slot, "a-2").State.Rollout))
	if err != nil || len(entries) != perRollout {
		t.Errorf("%d entries of the rollout, %v", len(entries), err)
	}
}

func TestWhatCannotBeReadIsDeadLetteredAndPurgedWithItsRollout(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	slot := journaltest.Slots(0, 1)[0]
	live(t, j, slot, "a-1")
	spoil(t, l, j, slot, 3)
	journal(t, j, slot, *lived(t, j, slot, "a-1").State.Rollout)
	live(t, j, slot, "a-2")
	events := follow(t, l, Filter{}, 0)
	settled(t, l)
	for range 3 {
		if msg := letter(t, l); msg.Subject() != "serin.dlq.poison" {
			t.Errorf("letter %s", msg.Subject())
		}
	}
	for rev := uint64(1); rev <= 11; {
		e := receive(t, events)
		if e.Name == "" {
			continue
		}
		if e.Data.Rev != rev || e.Data.Seq != rev-1 {
			t.Errorf("rev %d behind %d is told, want %d", e.Data.Rev, e.Data.Seq, rev)
		}
		rev++
	}
	if swept := sweepOnce(t, keeper(l, j)); swept.Slots != 1 {
		t.Errorf("swept %+v", swept)
	}
	equal(t, "what is left", times(3, "a-2"), left(t, j, slot))
	s, err := l.js.Stream(t.Context(), "SERIN_JOURNAL")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 3 {
		t.Errorf("%d messages are left, want 3", n)
	}
}
