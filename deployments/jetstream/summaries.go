package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// SummaryStream keeps what stays of finished rollouts, one message each, for ever.
const SummaryStream = "SUMMARY"

const (
	summariesConsumer = "summaries" // of the journal
	summaryAckWait    = 60 * time.Second
	summaryWait       = 30 * time.Second // for one rollout, whose entries are read one by one
	setupAwaited      = time.Minute      // between looks for a consumer that is not there
	// purgedNever is how old an entry must be before its predecessor may be purged. One that misses sooner has not
	// reached the replica that was asked.
	purgedNever = time.Minute
)

// summaries makes the stream of summaries, and the consumer that fills it. A consumer that is new on an old journal
// begins at its beginning, so rollouts that ended before there were summaries get theirs.
func (l Layout) summaries(ctx context.Context, js jetstream.JetStream) error {
	if err := l.stream(ctx, js, jetstream.StreamConfig{
		Name: l.Names.Stream(SummaryStream), Subjects: []string{l.Names.Subject("summary.*.*.*")},
		Description: "one message a finished rollout",
		Retention:   jetstream.LimitsPolicy, AllowDirect: true, DenyDelete: true,
	}); err != nil {
		return err
	}
	return l.consumer(ctx, js, JournalStream, jetstream.ConsumerConfig{
		Durable: summariesConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: summaryAckWait,
		MaxDeliver: -1, MaxAckPending: 1000,
	})
}

// Summary is the subject of a rollout's summary. Dots of its id would be tokens of their own.
func (n Names) Summary(s deployments.Slot, rollout string) string {
	return n.Subject("summary", s.Subject(), strings.ReplaceAll(rollout, ".", "_"))
}

// Summaries writes and reads what stays of finished rollouts.
type Summaries struct {
	JS      jetstream.JetStream
	Names   Names
	Journal *Journal
	Log     *slog.Logger // nil: silent
}

// Run writes the summary of every rollout that ends, until ctx ends. Any number of workers may run one. On a server that
// was set up before there were summaries it says what is missing and looks again: releases go on without.
func (s Summaries) Run(ctx context.Context) error {
	s.Log = orDiscard(s.Log)
	for {
		err := s.run(ctx)
		if !missing(err) {
			return err
		}
		s.Log.Error("no summaries are kept, nothing is purged: run serin setup again", "error", err)
		if err := pause(ctx, setupAwaited); err != nil {
			return err
		}
	}
}

func (s Summaries) run(ctx context.Context) error {
	return pull(ctx, s.JS, s.Names.Stream(JournalStream), summariesConsumer, dispatchBatch, s.Log, func(msgs <-chan jetstream.Msg) {
		for msg := range msgs {
			if ctx.Err() != nil {
				_ = msg.Nak()
				continue
			}
			if err := s.entry(ctx, msg); err != nil {
				s.Log.Warn("summary written later", "subject", msg.Subject(), "error", err)
				_ = msg.NakWithDelay(retryAfter(err, attempt(msg)))
				continue
			}
			_ = msg.Ack() // lost: the same summary once more, which is stored once
		}
	})
}

// entry writes the summary of the rollout that ended with an entry, if one did.
func (s Summaries) entry(ctx context.Context, msg jetstream.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, summaryWait)
	defer cancel()
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	e, err := decodeEntry(msg.Subject(), meta.Sequence.Stream, msg.Data())
	if errors.Is(err, deployments.ErrNewer) {
		return err // a later version of serin will take it
	}
	if err != nil || !e.Ends() {
		return nil // an entry that cannot be read is dispatch's dead letter
	}
	entries, err := s.Journal.Rollout(ctx, e)
	if err != nil {
		return err
	}
	summary, _ := deployments.Summarize(entries)
	return s.Put(ctx, summary)
}

// Put stores a summary. The first of a rollout stays: putting it again changes nothing.
func (s Summaries) Put(ctx context.Context, sum deployments.Summary) error {
	data, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("write summary of %s: %w", sum.Rollout, err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	_, err = s.JS.PublishMsg(ctx, &nats.Msg{Subject: s.Names.Summary(sum.Slot, sum.Rollout), Data: data},
		jetstream.WithExpectStream(s.Names.Stream(SummaryStream)), jetstream.WithExpectLastSequencePerSubject(0))
	if err != nil && !conflict(err) {
		return fmt.Errorf("write summary of %s: %w", sum.Rollout, err)
	}
	return nil
}

// Of is a slot's summaries, newest first: at most n, of the rollouts that ended last.
func (s Summaries) Of(ctx context.Context, slot deployments.Slot, n int) ([]deployments.Summary, error) {
	if err := slot.Validate(); err != nil {
		return nil, err
	}
	c := jetstream.ConsumerConfig{FilterSubject: s.Names.Subject("summary", slot.Subject(), "*"), DeliverPolicy: jetstream.DeliverAllPolicy}
	r := reader{s.JS, s.Names.Stream(SummaryStream), c, orDiscard(s.Log)}
	first, err := r.open(ctx)
	if missing(err) {
		return nil, fmt.Errorf("%w: run serin setup again", err)
	}
	if err != nil {
		return nil, err
	}
	var all []deployments.Summary
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
			var sum deployments.Summary
			if err := json.Unmarshal(msg.Data(), &sum); err != nil {
				return fmt.Errorf("read summary %s: %w", msg.Subject(), err)
			}
			all = append(all, sum)
			return nil
		},
		caughtUp: func() error { return errEnough },
	})
	if !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read summaries of %s: %w", slot, err)
	}
	slices.SortStableFunc(all, func(a, b deployments.Summary) int { return b.Ended.Compare(a.Ended) })
	return all[:min(n, len(all))], nil
}

// Rollout is the entries of e's rollout up to e, oldest first; without those that are purged or cannot be read, and
// what was before them.
func (j *Journal) Rollout(ctx context.Context, e deployments.Entry) ([]deployments.Entry, error) {
	r := e.State.Rollout
	if r == nil {
		return nil, nil
	}
	entries := []deployments.Entry{e}
	for e.After != 0 {
		before, err := j.Get(ctx, e.After)
		if err != nil && before.Sequence == 0 {
			return nil, err
		}
		if before.Sequence == 0 && time.Since(e.At) < purgedNever {
			return nil, fmt.Errorf("entry %d of %s is not there yet", e.After, e.Slot)
		}
		if err != nil || before.State.Rollout == nil || before.State.Rollout.ID != r.ID {
			break
		}
		entries = append(entries, before)
		e = before
	}
	slices.Reverse(entries)
	return entries, nil
}
