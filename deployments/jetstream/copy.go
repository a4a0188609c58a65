package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// carriedBy signs the entries that Copy writes.
const carriedBy = "serin setup"

// copySettle is how long Copy waits for the summaries of rollouts that ended just before the old server was stopped.
const copySettle = 30 * time.Second

// Copy carries what is at rest on one server over to another that is set up: policies, flags, summaries, and of each
// slot its last state. Nothing of it is told again: a slot's first entry on the new server says that it was carried
// over, and nothing else. Nothing newer there is overwritten, and doing it again completes what was interrupted.
type Copy struct {
	From, To jetstream.JetStream
	Names    Names // of both
	Now      func() time.Time
	Log      *slog.Logger // nil: silent
}

// Copied is what became of it all.
type Copied struct {
	Parts   []CopiedPart
	Refused []string // what was left as it is on the new server, and why
	Untold  []string // notifiers that have not delivered everything yet, and what stays behind for it
}

// CopiedPart counts one kind of thing.
type CopiedPart struct {
	What   string
	Copied int
	Found  int // there already: from an earlier run, or newer
}

// Run copies. It refuses before it writes anything when something is still under way on the old server.
func (c Copy) Run(ctx context.Context) (Copied, error) {
	var done Copied
	info, err := c.From.Stream(ctx, c.Names.Stream(JournalStream))
	if err != nil {
		return done, fmt.Errorf("copy: read the old journal: %w", err)
	}
	journal, err := OpenJournal(ctx, c.From, c.Names, c.Log)
	if err != nil {
		return done, fmt.Errorf("copy: read the old journal: %w", err)
	}
	if err := c.atRest(ctx, journal); err != nil {
		return done, fmt.Errorf("copy: %w", err)
	}
	if err := c.summarize(ctx, journal); err != nil {
		return done, fmt.Errorf("copy: %w", err)
	}
	to, err := OpenJournal(ctx, c.To, c.Names, c.Log)
	if err != nil {
		return done, fmt.Errorf("copy: open the new journal: %w", err)
	}
	carrier := carrier{from: c.From, to: c.To, source: info.CachedInfo().Created.UTC().Format(time.RFC3339Nano), log: orDiscard(c.Log)}
	// A slot's state comes last: whoever finds it finds what it refers to.
	for _, part := range c.parts(to) {
		counted, refused, err := carrier.carry(ctx, part)
		if err != nil {
			return done, fmt.Errorf("copy %s, and another run goes on from here: %w", part.what, err)
		}
		done.Parts, done.Refused = append(done.Parts, counted), append(done.Refused, refused...)
	}
	done.Untold, err = c.untold(ctx)
	return done, err
}

func (c Copy) parts(to *Journal) []carried {
	return []carried{
		{what: "policies", stream: "KV_" + c.Names.Bucket(PoliciesBucket)}, // what a worker has offered there counts
		{what: "flags", stream: "KV_" + c.Names.Bucket(FlagsBucket), cure: "look at it with serin flags get, and set it with serin flags set"},
		{what: "summaries", stream: c.Names.Stream(SummaryStream), cure: "serin history tells of that one"},
		{what: "slots", stream: c.Names.Stream(JournalStream), cure: "releases were taken in there before; it stays as it is", change: c.entry(to)},
	}
}

// entry makes of a slot's last entry its first one on the new server: the state is the same, and what led to it stays
// behind. Without an input it tells no event.
func (c Copy) entry(to *Journal) func(jetstream.Msg, uint64) (string, []byte, error) {
	return func(msg jetstream.Msg, seq uint64) (string, []byte, error) {
		e, err := decodeEntry(msg.Subject(), seq, msg.Data())
		if err != nil {
			return "", nil, err
		}
		data, err := json.Marshal(deployments.Entry{V: e.V, Logic: e.Logic, Slot: e.Slot, Rollout: e.Rollout, Rev: e.Rev + 1, Seq: e.Seq,
			At: c.Now().UTC().Round(0), By: carriedBy, Op: fmt.Sprintf("%s/%d", carriedBy, seq), State: e.State, Note: "carried over from another server: " + e.Note})
		return to.subject(e.Slot), data, err
	}
}

// atRest refuses a server on which something is under way. A rollout cannot go on elsewhere: applications, deployers
// and pipelines still listen to the old server, so its way back would not reach them.
func (c Copy) atRest(ctx context.Context, j *Journal) error {
	entries, err := j.All(ctx)
	if err != nil {
		return err
	}
	var live []string
	for _, e := range entries {
		if r := e.State.Rollout; e.State.Live() {
			live = append(live, fmt.Sprintf("%s %s (%s, %v of the traffic)", e.Slot, r.Version, r.Phase, r.Confirmed))
		}
	}
	if len(live) > 0 {
		return fmt.Errorf("rollouts are under way, and applications and pipelines that still listen to the old server would not hear of their way back: %s; "+
			"start serin serve there again, wait for their end or end them with serin abort, stop it, and copy then", strings.Join(live, ", "))
	}
	releases, err := c.From.Stream(ctx, c.Names.Stream(ReleasesStream))
	if err != nil {
		return err
	}
	untold, err := Dispatch{JS: c.From, Names: c.Names}.Untold(ctx)
	if err != nil {
		return err
	}
	if waiting := releases.CachedInfo().State.Msgs; waiting > 0 || untold > 0 {
		return fmt.Errorf("%d releases are not taken in and %d decisions not told yet: start serin serve on the old data once more, and stop it", waiting, untold)
	}
	return nil
}

// summarize writes the summaries that the old server was stopped before.
func (c Copy) summarize(ctx context.Context, j *Journal) error {
	cons, err := c.From.Consumer(ctx, c.Names.Stream(JournalStream), summariesConsumer)
	if missing(err) {
		return nil // of a serin that kept none
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, copySettle)
	defer cancel()
	ended := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ended <- Summaries{JS: c.From, Names: c.Names, Journal: j, Log: c.Log}.Run(running) }()
	err = settledConsumer(ctx, cons)
	stop()
	if ran := <-ended; !errors.Is(ran, context.Canceled) {
		err = errors.Join(err, ran)
	}
	if err != nil {
		return fmt.Errorf("write the last summaries on the old server: %w", err)
	}
	return nil
}

// settledConsumer waits until nothing is left for a consumer.
func settledConsumer(ctx context.Context, cons jetstream.Consumer) error {
	for {
		info, err := cons.Info(ctx)
		if err != nil || info.NumPending+uint64(info.NumAckPending) == 0 {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// untold names the notifiers that have events before them. They begin on the new server with what comes then.
func (c Copy) untold(ctx context.Context) ([]string, error) {
	events, err := c.From.Stream(ctx, c.Names.Stream(EventsStream))
	if err != nil {
		return nil, fmt.Errorf("read the old events: %w", err)
	}
	var out []string
	consumers := events.ListConsumers(ctx)
	for info := range consumers.Info() {
		if name, ok := strings.CutPrefix(info.Config.Durable, tellPrefix); ok && info.NumPending+uint64(info.NumAckPending) > 0 {
			out = append(out, fmt.Sprintf("%s was not told %d events", name, info.NumPending+uint64(info.NumAckPending)))
		}
	}
	return out, consumers.Err()
}
