package jetstream

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
	"github.com/serin-cd/serin/steps"
)

func summariesOf(t *testing.T, l lab, s deployments.Slot, n int) []deployments.Summary {
	t.Helper()
	all, err := Summaries{JS: l.js}.Of(t.Context(), s, n)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ids(all []deployments.Summary) (out []string) {
	for _, s := range all {
		out = append(out, s.Rollout)
	}
	return out
}

func TestEachFinishedRolloutLeavesOneSummaryThatOutlivesIt(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	lived(t, j, checkout, "checkout-1.0.0-aa", "checkout-1..1-bb", "checkout-1.2-cc")
	live(t, j, checkout, "checkout-1.3-dd")
	other := journaltest.Slots(0, 1)[0]
	lived(t, j, other, "other-1")
	settled(t, l)
	want := []string{"checkout-1.2-cc", "checkout-1..1-bb", "checkout-1.0.0-aa"}
	before := summariesOf(t, l, checkout, 10)
	equal(t, "newest first", want, ids(before))
	equal(t, "at most two", want[:2], ids(summariesOf(t, l, checkout, 2)))
	equal(t, "of the other slot", []string{"other-1"}, ids(summariesOf(t, l, other, 10)))
	if s := before[0]; s.Outcome != steps.Promoted || s.Revs != perRollout || !cmp.Equal(s.Confirmed, []float64{5, 25, 100}) || s.Slot != checkout {
		t.Errorf("summary %+v", s)
	}
	sweepOnce(t, keeper(l, j))
	equal(t, "the journal", times(3, "checkout-1.3-dd"), left(t, j, checkout))
	equal(t, "after the purge", before, summariesOf(t, l, checkout, 10))
}

func TestASummaryIsStoredOnceThoughItsEndIsDispatchedTwice(t *testing.T) {
	l := newLab(t)
	lived(t, openJournal(t, l.js), checkout, "r-1", "r-2")
	settled(t, l)
	before := summariesOf(t, l, checkout, 10)
	// As at the first start of a version with summaries on an old journal: the consumer begins at the beginning.
	if err := l.js.DeleteConsumer(t.Context(), "SERIN_JOURNAL", summariesConsumer); err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), l.js, Layout{}); err != nil {
		t.Fatal(err)
	}
	settled(t, l)
	equal(t, "summaries", before, summariesOf(t, l, checkout, 10))
	s, err := l.js.Stream(t.Context(), "SERIN_SUMMARY")
	if err != nil {
		t.Fatal(err)
	}
	if state := s.CachedInfo().State; state.Msgs != 2 || state.LastSeq != 2 {
		t.Errorf("%d messages up to %d, want 2 up to 2", state.Msgs, state.LastSeq)
	}
}

func TestWithoutSetupSummariesWaitAndNothingIsPurged(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	lived(t, j, checkout, "r-1", "r-2")
	settled(t, l)
	for _, err := range []error{
		l.js.DeleteConsumer(t.Context(), "SERIN_JOURNAL", summariesConsumer),
		l.js.DeleteStream(t.Context(), "SERIN_SUMMARY"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	said := make(chan string, 1)
	background(t, Summaries{JS: l.js, Journal: j, Log: slog.New(slog.NewTextHandler(lines(said), nil))}.Run)
	if line := receive(t, said); !strings.Contains(line, "run serin setup again") {
		t.Errorf("it says %s", line)
	}
	if _, err := keeper(l, j).Sweep(t.Context()); err == nil {
		t.Error("purged without a summary")
	}
	equal(t, "the journal", times(perRollout, "r-1", "r-2"), left(t, j, checkout))
	if _, err := (Summaries{JS: l.js}).Of(t.Context(), checkout, 1); err == nil || !strings.Contains(err.Error(), "run serin setup again") {
		t.Errorf("read: %v", err)
	}
}

// lines hands every write to a channel that has room.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestARolloutIsReadBackFromItsNewestEntry(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	lived(t, j, checkout, "r-1")
	e := live(t, j, checkout, "r-2")
	entries, err := j.Rollout(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	var revs []uint64
	for _, e := range entries {
		revs = append(revs, e.Rev)
	}
	equal(t, "revisions", []uint64{5, 6, 7}, revs)
	if none, err := j.Rollout(t.Context(), deployments.Entry{}); err != nil || len(none) > 0 {
		t.Errorf("of no rollout: %v, %v", none, err)
	}
}

// What a worker reads when it takes over a partition is one entry a slot, however long their histories are.
func TestTheLoadOfAPartitionDoesNotGrowWithHistory(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	slots := journaltest.Slots(2, 5)
	for _, s := range slots {
		lived(t, j, s, s.Service+"-1", s.Service+"-2", s.Service+"-3")
	}
	if n := loadPartition(t, j, 2); n != len(slots) {
		t.Errorf("%d entries of %d slots with %d entries each were read", n, len(slots), 3*perRollout)
	}
}

// loadPartition reads a partition as a worker does that has taken it over, and counts the entries.
func loadPartition(t testing.TB, j *Journal, partition int) (n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	entries, err := j.Watch(ctx, partition)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	for e := range entries {
		if e.Sequence == 0 {
			cancel() // the channel is closed then
			continue
		}
		n++
	}
	cancel()
	return n
}

// benchJournal is an empty journal on a server of its own.
func benchJournal(b *testing.B) *Journal {
	s, err := Embed(b.Context(), ServerOptions{Dir: b.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Shutdown() })
	nc, err := s.Connect(b.Context(), ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeAndWait(nc) })
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if err := Setup(b.Context(), js, Layout{Partitions: journaltest.Partitions}); err != nil {
		b.Fatal(err)
	}
	j, err := OpenJournal(b.Context(), js, Names{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// BenchmarkPartitionLoad takes over a partition of 100 slots at rest, whose histories have 1 to 100 entries each.
func BenchmarkPartitionLoad(b *testing.B) {
	for _, history := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("history=%d", history), func(b *testing.B) {
			j := benchJournal(b)
			for _, s := range journaltest.Slots(0, 100) {
				seq := uint64(0)
				for rev := range uint64(history) {
					var err error
					if seq, err = j.Append(b.Context(), journaltest.Entry(s, rev+1, seq)); err != nil {
						b.Fatal(err)
					}
				}
			}
			for b.Loop() {
				if n := loadPartition(b, j, 0); n != 100 {
					b.Fatalf("%d entries, want 100", n)
				}
			}
		})
	}
}
