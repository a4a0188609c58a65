package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Partitions by default: 64 embedded, 256 by `serin setup`.
const (
	EmbeddedPartitions = 64
	SetupPartitions    = 256
)

const (
	defaultAckWait = 4 * time.Second // of leases: how long a fail-over takes
	maxRelease     = 64 << 10        // bytes of a release event
	partitionsKey  = "serin.partitions"
)

// Layout is what Setup makes.
type Layout struct {
	Names      Names
	Partitions int           // 0: the stored number, else EmbeddedPartitions. Fixed once the journal exists
	Replicas   int           // 0: as they are, else 1
	AckWait    time.Duration // of leases; 0: 4 s
}

// Setup makes the streams, buckets and durable consumers, or brings them up to date. Doing it again changes nothing.
// It refuses a number of partitions that differs from the stored one.
func Setup(ctx context.Context, js jetstream.JetStream, l Layout) error {
	if err := l.Names.Validate(); err != nil {
		return err
	}
	if l.AckWait == 0 {
		l.AckWait = defaultAckWait
	}
	stored, err := Partitions(ctx, js, l.Names)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		if l.Partitions == 0 {
			l.Partitions = EmbeddedPartitions
		}
	case err != nil:
		return err
	case l.Partitions == 0:
		l.Partitions = stored
	case l.Partitions != stored:
		return fmt.Errorf("stream %s has %d partitions, %d were asked for: the number is fixed when the stream is made",
			l.Names.Stream(JournalStream), stored, l.Partitions)
	}
	if l.Partitions < 1 {
		return fmt.Errorf("%d partitions: at least 1 is needed", l.Partitions)
	}
	return l.make(ctx, js)
}

// make makes everything. The journal comes first: it remembers the partitions. One after the other is fast enough
// (about 80 ms on an empty store): the server waits for one disk either way.
func (l Layout) make(ctx context.Context, js jetstream.JetStream) error {
	for _, f := range []func(context.Context, jetstream.JetStream) error{l.journal, l.summaries, l.releases, l.told, l.lease, l.buckets} {
		if err := f(ctx, js); err != nil {
			return err
		}
	}
	return nil
}

// Partitions reads the number of partitions from the journal's stream.
func Partitions(ctx context.Context, js jetstream.JetStream, n Names) (int, error) {
	name := n.Stream(JournalStream)
	s, err := js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", name, err)
	}
	p, err := strconv.Atoi(s.CachedInfo().Config.Metadata[partitionsKey])
	if err != nil || p < 1 {
		return 0, fmt.Errorf("stream %s was not made by serin: its metadata has no %s", name, partitionsKey)
	}
	return p, nil
}

func (l Layout) journal(ctx context.Context, js jetstream.JetStream) error {
	// Neither MaxAge, MaxMsgsPerSubject nor message TTLs: each brings an older entry back as the last.
	if err := l.stream(ctx, js, jetstream.StreamConfig{
		Name: l.Names.Stream(JournalStream), Subjects: []string{l.Names.Subject("journal.*.*.*")},
		Description: "one subject a slot: state, audit trail, outbox",
		Retention:   jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, AllowDirect: true,
		DenyDelete: true, // purging must stay possible, for retention
		Metadata:   map[string]string{partitionsKey: strconv.Itoa(l.Partitions)},
	}); err != nil {
		return err
	}
	return l.consumer(ctx, js, JournalStream, jetstream.ConsumerConfig{
		Durable: dispatchConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: dispatchAckWait,
		MaxDeliver: -1, MaxAckPending: 1000,
	})
}

func (l Layout) releases(ctx context.Context, js jetstream.JetStream) error {
	// No MaxMsgSize: who publishes without asking for an answer would never learn of the refusal. The intake refuses.
	if err := l.stream(ctx, js, jetstream.StreamConfig{
		Name: l.Names.Stream(ReleasesStream), Subjects: []string{l.Names.Subject("release.*.*")},
		Retention: jetstream.WorkQueuePolicy, Duplicates: time.Hour, MaxAge: 7 * 24 * time.Hour,
	}); err != nil {
		return err
	}
	// The intake counts the attempts itself: a message over MaxDeliver would stay in the queue, delivered to nobody.
	return l.consumer(ctx, js, ReleasesStream, jetstream.ConsumerConfig{
		Durable: ingestConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: intakeAckWait,
		MaxDeliver: -1, MaxAckPending: 1000,
	})
}

// auditAge is how long records of flags are kept.
const auditAge = 400 * 24 * time.Hour

// told makes the streams that others read.
func (l Layout) told(ctx context.Context, js jetstream.JetStream) error {
	if err := l.stream(ctx, js, jetstream.StreamConfig{
		Name:      l.Names.Stream(EventsStream),
		Subjects:  []string{l.Names.Subject("event.>"), l.Names.Subject("rollback.>")},
		Retention: jetstream.LimitsPolicy, MaxAge: 30 * 24 * time.Hour, Duplicates: 10 * time.Minute, AllowDirect: true,
	}); err != nil {
		return err
	}
	if err := l.stream(ctx, js, jetstream.StreamConfig{
		Name: l.Names.Stream(AuditStream), Subjects: []string{l.Names.Subject("audit.>")}, Description: "what was done to flags",
		Retention: jetstream.LimitsPolicy, MaxAge: auditAge, Duplicates: 10 * time.Minute, AllowDirect: true, DenyDelete: true,
	}); err != nil {
		return err
	}
	return l.stream(ctx, js, jetstream.StreamConfig{
		Name: l.Names.Stream(DLQStream), Subjects: []string{l.Names.Subject("dlq.>")},
		Retention: jetstream.LimitsPolicy, MaxAge: 30 * 24 * time.Hour, Duplicates: 10 * time.Minute, AllowDirect: true,
	})
}

func (l Layout) lease(ctx context.Context, js jetstream.JetStream) error {
	name := l.Names.Stream(LeaseStream)
	if err := l.stream(ctx, js, jetstream.StreamConfig{
		Name: name, Subjects: []string{l.Names.Subject("lease.*")}, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1,
	}); err != nil {
		return err
	}
	if err := l.seed(ctx, js, name); err != nil {
		return fmt.Errorf("seed stream %s: %w", name, err)
	}
	return l.consumer(ctx, js, LeaseStream, jetstream.ConsumerConfig{
		Durable: leaseConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.AckWait,
		MaxDeliver: -1, MaxAckPending: 4 * l.Partitions,
	})
}

// seed puts one message a partition into the stream. Those that are there are refused by the stream and stay.
func (l Layout) seed(ctx context.Context, js jetstream.JetStream, name string) error {
	missing := func() (int, error) {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return 0, err
		}
		return l.Partitions - int(s.CachedInfo().State.Msgs), nil
	}
	if n, err := missing(); n == 0 || err != nil {
		return err
	}
	acks := make([]jetstream.PubAckFuture, l.Partitions)
	for p := range l.Partitions {
		body := strconv.Itoa(p)
		ack, err := js.PublishAsync(l.Names.Subject("lease", body), []byte(body))
		if err != nil {
			return err
		}
		acks[p] = ack
	}
	var last error
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case last = <-ack.Err():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n, err := missing()
	if err == nil && n != 0 {
		err = fmt.Errorf("%d of %d partitions are missing: %w", n, l.Partitions, last)
	}
	return err
}

func (l Layout) buckets(ctx context.Context, js jetstream.JetStream) error {
	for _, b := range []jetstream.KeyValueConfig{
		{Bucket: FlagsBucket, History: 5},
		{Bucket: PoliciesBucket, History: 1, MaxValueSize: 1 << 20},
		{Bucket: NotifyBucket, History: 1, TTL: 90 * 24 * time.Hour},
	} {
		b.Bucket, b.Replicas = l.Names.Bucket(b.Bucket), max(l.Replicas, 1)
		_, err := js.CreateKeyValue(ctx, b)
		// A bucket that somebody has tuned stays as it is.
		if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			return fmt.Errorf("make bucket %s: %w", b.Bucket, err)
		}
	}
	return nil
}

// stream makes a stream. Of one that exists, what an operator decides stays: place, size, age, replicas.
func (l Layout) stream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) error {
	c.Storage, c.Replicas = jetstream.FileStorage, max(l.Replicas, 1)
	_, err := js.CreateStream(ctx, c)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		var s jetstream.Stream
		if s, err = js.Stream(ctx, c.Name); err == nil {
			was := s.CachedInfo().Config
			c.Placement, c.MaxBytes, c.Compression = was.Placement, was.MaxBytes, was.Compression
			if c.MaxAge != 0 && was.MaxAge != 0 {
				c.MaxAge = was.MaxAge
			}
			if l.Replicas == 0 {
				c.Replicas = was.Replicas
			}
			_, err = js.UpdateStream(ctx, c)
		}
	}
	if err != nil {
		return fmt.Errorf("make stream %s: %w", c.Name, err)
	}
	return nil
}

func (l Layout) consumer(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) error {
	if _, err := js.CreateOrUpdateConsumer(ctx, l.Names.Stream(stream), c); err != nil {
		return fmt.Errorf("make consumer %s of stream %s: %w", c.Durable, l.Names.Stream(stream), err)
	}
	return nil
}
