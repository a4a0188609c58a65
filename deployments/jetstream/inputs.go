package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/deployments"
)

const (
	inputAge     = 7 * 24 * time.Hour // of the messages in a stream that is made for an input
	inputReopen  = 5 * time.Second    // how long to leave a stream alone that has gone
	inputAckWait = 10 * time.Second
	inputWait    = 8 * time.Second // for one message: less, so that no other worker gets it too
)

// What became of an input's message, as it is counted.
const (
	InputPublished = "published" // as a release
	InputDuplicate = "duplicate" // its release was published within the hour
	InputIgnored   = "ignored"   // it is no release, see Input.Only
	InputRefused   = "refused"   // it is a dead letter
	InputLater     = "later"     // it is tried again
)

// Inputs publishes the messages of subjects that are there already as releases. Any number of workers may run one: they
// share the place in each stream, and of one input one message after the other is published, so that releases keep
// their order.
type Inputs struct {
	JS     jetstream.JetStream
	Names  Names
	Inputs []Input
	Count  func(input, outcome string) // nil: nobody counts
	Log    *slog.Logger                // nil: silent
	reopen time.Duration               // 0: inputReopen
}

// place is where an input's messages are.
type place struct{ stream, durable string }

// Open finds the stream of each input, or makes one, and the durable consumer that keeps the place in it. The first time
// it begins with what comes from now on: what is stored already was released by somebody else.
func (i Inputs) Open(ctx context.Context) error {
	_, err := i.open(ctx)
	return err
}

func (i Inputs) open(ctx context.Context) ([]place, error) {
	var all []place
	for _, in := range i.Inputs {
		p, err := i.openOne(ctx, in, time.Time{})
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", in, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// openOne opens an input. since is when its consumer was last there, where it is made anew.
func (i Inputs) openOne(ctx context.Context, in Input, since time.Time) (place, error) {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	if collide(in.Subject, i.Names.Subject(">")) {
		return place{}, fmt.Errorf("it has subjects of Serin's own, %s: what Serin publishes would come in again", i.Names.Subject(">"))
	}
	s, err := i.stream(ctx, in)
	if err != nil {
		return place{}, i.cure(in, err)
	}
	c := jetstream.ConsumerConfig{Durable: i.Names.inputConsumer(in), FilterSubject: in.Subject, DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: inputAckWait, MaxDeliver: -1, MaxAckPending: 1}
	if s.CachedInfo().Config.Retention == jetstream.WorkQueuePolicy || s.CachedInfo().Config.Name == i.Names.inputStream(in) {
		c.DeliverPolicy = jetstream.DeliverAllPolicy // a work queue knows no other, and a stream of our own has nothing older
	}
	if c.DeliverPolicy == jetstream.DeliverNewPolicy && !since.IsZero() {
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	was, err := s.Consumer(ctx, c.Durable)
	if err == nil && was.CachedInfo().Config.FilterSubject != in.Subject {
		moved := was.CachedInfo().Config
		moved.FilterSubject = in.Subject
		_, err = s.UpdateConsumer(ctx, moved)
	}
	if missing(err) {
		_, err = s.CreateOrUpdateConsumer(ctx, c)
	}
	return place{s.CachedInfo().Config.Name, c.Durable}, i.cure(in, err)
}

// cure says what helps when the server leaves a request unanswered, which is how it denies one.
func (i Inputs) cure(in Input, err error) error {
	if !gaveUp(err) {
		return err
	}
	return fmt.Errorf("%w: the user may not use the stream; name it (stream: …), and give the worker the rights that `serin setup --permissions` prints for %s", err, in.Name)
}

// stream is the one that keeps the input's subject.
func (i Inputs) stream(ctx context.Context, in Input) (jetstream.Stream, error) {
	if in.Stream != "" {
		s, err := i.JS.Stream(ctx, in.Stream)
		if err == nil {
			err = keeps(s.CachedInfo().Config, in.Subject)
		}
		return s, err
	}
	var partly []string
	names := i.JS.StreamNames(ctx, jetstream.WithStreamListSubject(in.Subject))
	for name := range names.Name() {
		s, err := i.JS.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		if keeps(s.CachedInfo().Config, in.Subject) == nil {
			return s, nil
		}
		partly = append(partly, name)
	}
	switch {
	case names.Err() != nil:
		return nil, names.Err()
	case len(partly) > 0:
		return nil, fmt.Errorf("no stream keeps all of its subjects: %s keeps a part of them; narrow the subject to that", strings.Join(partly, ", "))
	}
	return i.make(ctx, in)
}

// keeps says why a stream does not keep all messages of a subject. A mirror may: its subjects are those of another one.
func keeps(c jetstream.StreamConfig, subject string) error {
	if c.Mirror != nil || len(c.Sources) > 0 || slices.ContainsFunc(c.Subjects, func(s string) bool { return covers(s, subject) }) {
		return nil
	}
	return fmt.Errorf("the stream %s keeps %s, and not all of %s", c.Name, strings.Join(c.Subjects, ", "), subject)
}

// make makes a stream for the input.
func (i Inputs) make(ctx context.Context, in Input) (jetstream.Stream, error) {
	s, err := i.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: i.Names.inputStream(in), Subjects: []string{in.Subject}, Description: "of the " + in.String() + " of Serin",
		Retention: jetstream.LimitsPolicy, MaxAge: inputAge, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, fmt.Errorf("no stream keeps its subject, and making %s failed: %w", i.Names.inputStream(in), err)
	}
	return s, nil
}

// inputStream is the stream that is made for an input: SERIN_INPUT_ci.
func (n Names) inputStream(in Input) string { return n.Stream("INPUT_" + in.Name) }

// inputConsumer keeps the place of an input: serin_input-ci.
func (n Names) inputConsumer(in Input) string { return n.Bucket("input-" + in.Name) }

// Run publishes until ctx ends, and returns its error. A stream that goes away is waited for.
func (i Inputs) Run(ctx context.Context) error {
	i.Log = orDiscard(i.Log)
	i.reopen = cmp.Or(i.reopen, inputReopen)
	if i.Count == nil {
		i.Count = func(string, string) {}
	}
	places, err := i.open(ctx)
	if err != nil {
		return err
	}
	var running errgroup.Group
	for n, in := range i.Inputs {
		running.Go(func() error { return i.run(ctx, in, places[n]) })
	}
	return errors.Join(running.Wait(), ctx.Err())
}

// run publishes the messages of one input until ctx ends. Whatever becomes of another program's stream is no reason for
// Serin to advance nothing any more.
func (i Inputs) run(ctx context.Context, in Input, at place) error {
	log := i.Log.With("input", in.Name)
	end := settle{js: i.JS, names: i.Names, attempts: intakeAttempts, hopeless: GaveUp, log: log}
	work := func(msgs <-chan jetstream.Msg) {
		for msg := range msgs {
			if ctx.Err() != nil {
				_ = msg.Nak()
				continue
			}
			i.handle(ctx, in, msg, end)
		}
	}
	there := time.Now()
	for {
		cons, err := i.JS.Consumer(ctx, at.stream, at.durable)
		for err == nil && ctx.Err() == nil {
			there = time.Now()
			err = pullOnce(ctx, i.JS.Conn(), cons, 1, work)
		}
		if ctx.Err() != nil {
			return nil
		}
		if i.JS.Conn().IsClosed() {
			return nats.ErrConnectionClosed
		}
		if missing(err) {
			var found place
			if found, err = i.openOne(ctx, in, there); err == nil {
				at = found
				continue
			}
		}
		log.Warn("input waits for its stream", "stream", at.stream, "error", err)
		_ = pause(ctx, i.reopen)
	}
}

// handle sees one message through.
func (i Inputs) handle(ctx context.Context, in Input, msg jetstream.Msg, end settle) {
	ctx, cancel := context.WithTimeout(ctx, inputWait)
	defer cancel()
	rel, err := in.release(message{subject: msg.Subject(), header: msg.Headers(), data: msg.Data(), own: ownID(in, msg)})
	duplicate := false
	if err == nil {
		_, duplicate, err = PublishRelease(ctx, i.JS, i.Names, rel)
	}
	switch {
	case errors.Is(err, errNotMeant):
		i.Count(in.Name, InputIgnored)
		err = nil
	case deployments.Refusal(err) != "":
		i.Count(in.Name, InputRefused)
	case err != nil:
		i.Count(in.Name, InputLater)
	case duplicate:
		i.Count(in.Name, InputDuplicate)
	default:
		i.Count(in.Name, InputPublished)
	}
	end.finish(ctx, msg, err)
}

// ownID is the same for a message however often it is delivered, and another one for every other message.
func ownID(in Input, msg jetstream.Msg) string {
	o := orderOf(msg)
	return in.Name + "-" + strconv.FormatUint(o.Seq, 10) + "-" + strconv.FormatInt(o.At.UnixNano(), 36)
}
