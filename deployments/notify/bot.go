package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
)

// Bot tells a Slack channel with one message a rollout, which it edits in place, and details in the message's thread.
// What it knows of each message is in Memory: any worker goes on where another one stopped. Use NewBot to make one; it
// may be used by many goroutines.
type Bot struct {
	receiver Receiver
	api      webAPI
	memory   Memory
	words    *Template
	clock    func() time.Time
	pace     *Paced
	log      *slog.Logger
}

// BotOptions is what a bot needs besides its receiver.
type BotOptions struct {
	Memory Memory
	Words  *Template        // nil: Serin's own
	HTTP   *http.Client     // nil: the default client with a timeout of 10 s
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: silent
}

// NewBot makes the bot of a receiver.
func NewBot(r Receiver, o BotOptions) *Bot {
	return &Bot{receiver: r, api: webAPI{cmp.Or(r.APIURL, slackAPI), r.TokenFile, o.HTTP, o.Now}, memory: o.Memory, words: o.Words, clock: o.Now,
		pace: NewPaced(nil, o.Now), log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
}

// Wants reports whether an event may change a message. Whether it makes one, or an answer, is the receiver's to say.
func (b *Bot) Wants(e deployments.Event) bool {
	_, head := heads[e.Name]
	return b.receiver.Scope(e.Slot) && (head || b.receiver.Wants(e))
}

// Deliver brings the message of the event's rollout up to date, and adds an answer where the event is a detail worth
// one. Delivered twice, or by two workers, or in another order, it does the same once. An error is a [*RetryAfterError],
// a [*deployments.RefusedError], or one that asks for another try because another worker is at it.
func (b *Bot) Deliver(ctx context.Context, e deployments.Event) error {
	if !b.Wants(e) {
		return nil
	}
	if err := b.tell(ctx, e, e.ID, 0); !errors.Is(err, errUntold) {
		return err
	}
	return nil
}

// job is one event on its way into a thread.
type job struct {
	event    deployments.Event
	id       string // of the answer
	again    int
	key      string
	revision uint64 // of the memory
	thread   thread
	changed  bool // the event is merged, and not remembered yet
}

func (b *Bot) tell(ctx context.Context, e deployments.Event, id string, again int) error {
	j := &job{event: e, id: id, again: again, key: keyOf("thread", b.receiver.Name, b.group(e))}
	var err error
	if j.revision, err = load(ctx, b.memory, j.key, &j.thread); err != nil {
		return err
	}
	t := &j.thread
	if t.over() && e.Severity != deployments.Page || j.revision == 0 && !b.receiver.Wants(e) && e.Name != testName {
		return errUntold
	}
	j.changed = t.merge(e)
	if !b.due(j) {
		b.pace.giveUp(id)
		return errUntold
	}
	at := now(b.clock)
	if wait := t.Busy.held(at); wait > 0 {
		return b.postpone(ctx, j, &busyError{min(max(wait, time.Second), 5*time.Second), "another worker is telling " + b.receiver.Name})
	}
	if err := b.pace.admit(id, e.Severity, at); err != nil {
		return b.postpone(ctx, j, err)
	}
	return b.hold(ctx, j)
}

// group is what shares a message. An event about a release that has no rollout carries the one that runs.
func (b *Bot) group(e deployments.Event) string {
	other := strings.HasPrefix(e.Name, "release.") && e.Name != "release.accepted" && e.Data.Target != ""
	if b.receiver.Group == ByEvent || e.Data.Rollout == "" || other {
		return e.ID
	}
	return e.Slot.String() + "/" + e.Data.Rollout
}

// due reports whether there is anything to say to Slack.
func (b *Bot) due(j *job) bool {
	t := &j.thread
	return t.TS == "" || t.At.compare(t.Shown) > 0 || b.answers(j)
}

// answers reports whether the event is a detail that the thread has not yet.
func (b *Bot) answers(j *job) bool {
	t, e := &j.thread, j.event
	switch {
	case t.sent(j.id) || b.receiver.Group == ByEvent:
		return false
	case j.again > 0:
		return true
	case len(b.receiver.Events) > 0:
		return b.receiver.Wants(e)
	}
	detailed := b.receiver
	detailed.Events = details
	return detailed.Wants(e) && !(e.Name == "step.started" && e.Data.Step <= 1) && (e.Name != "analysis.inconclusive" || e.Severity != deployments.Info)
}

// details are the events that a thread has unless the receiver names its own.
var details = []string{"step.passed", "rule.*", "analysis.inconclusive", "rollout.*", "approval.*", "traffic.unconfirmed", "rollback.*", "flag.disabled", "flag.failed",
	"release.superseded", "policy.differs"}

// postpone remembers what the event says before it comes again: whoever is at it shows that too.
func (b *Bot) postpone(ctx context.Context, j *job, err error) error {
	if j.changed {
		if _, lost := save(ctx, b.memory, j.key, j.thread, j.revision); lost != nil {
			return lost
		}
	}
	return err
}

// hold takes the lease, does what is due, and gives the lease back. The lease, and what is about to be tried, are
// remembered before Slack hears of it.
func (b *Bot) hold(ctx context.Context, j *job) error {
	t, at := &j.thread, now(b.clock)
	before := t.Tried
	t.Tried = nil
	for id, when := range before {
		t.try(id, when)
	}
	doubted := time.Time{}
	if t.TS == "" {
		if doubted = before[cardID]; doubted.IsZero() {
			t.Opener = j.id
		}
		t.try(cardID, at)
	} else if b.answers(j) {
		doubted = before[j.id]
		t.try(j.id, at)
	}
	t.Busy = lease{rand.Text(), at}
	var err error
	if j.revision, err = save(ctx, b.memory, j.key, j.thread, j.revision); err != nil {
		return err
	}
	if j.revision == 0 {
		return &busyError{200 * time.Millisecond, "another worker was first"}
	}
	holder := t.Busy.By
	err = b.work(ctx, j, doubted)
	if later, ok := errors.AsType[*RetryAfterError](err); ok {
		b.pace.leaveAlone(now(b.clock).Add(later.After))
	}
	t.Busy = lease{}
	return errors.Join(err, b.release(ctx, j, holder))
}

// release remembers what was done. Others may have merged events meanwhile.
func (b *Bot) release(ctx context.Context, j *job, holder string) error {
	const tries, limit = 10, 5 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	mine := j.thread
	for range tries {
		revision, err := save(ctx, b.memory, j.key, j.thread, j.revision)
		if err != nil || revision > 0 {
			return err
		}
		j.thread = thread{}
		if j.revision, err = load(ctx, b.memory, j.key, &j.thread); err != nil {
			return err
		}
		if j.thread.Busy.By != holder {
			return &busyError{time.Second, "the lease was lost"}
		}
		j.thread.adopt(&mine)
	}
	return &busyError{time.Second, "the memory changes too often"}
}

// work makes the calls that are due.
func (b *Bot) work(ctx context.Context, j *job, doubted time.Time) error {
	t := &j.thread
	if t.TS == "" {
		return b.open(ctx, j, doubted)
	}
	var refused error
	if t.At.compare(t.Shown) > 0 {
		err := b.edit(ctx, j)
		if deployments.Refusal(err) == "" && err != nil || t.TS == "" {
			return err
		}
		refused = err // the answer is worth telling all the same
	}
	if _, tried := t.Tried[j.id]; tried && b.answers(j) {
		return errors.Join(refused, b.answer(ctx, j, doubted))
	}
	return refused
}

// open posts the message, unless it is there already.
func (b *Bot) open(ctx context.Context, j *job, doubted time.Time) error {
	t := &j.thread
	shown := t.At
	if !doubted.IsZero() {
		ts, err := b.find(ctx, t, j.key, cardID, doubted)
		switch {
		case ts != "":
			t.TS = ts
			t.done(cardID)
			t.done(t.Opener)
			return &busyError{time.Second, "the message was found again"} // and is brought up to date then
		case err != nil:
			t.Tried[cardID] = doubted
			return err
		}
		t.Opener = j.id
	}
	text, body := card(t.shows(), b.words)
	answer, err := b.api.post(ctx, postMessage, post{Channel: cmp.Or(t.Channel, b.receiver.Channel), Text: text, Attachments: []postAttachment{body}, Metadata: mark{j.key, cardID}.data()})
	if err != nil {
		return t.failed(cardID, err)
	}
	t.Channel, t.TS, t.Shown = answer.Channel, answer.TS, shown
	t.done(cardID)
	t.done(j.id) // the message says it
	b.learn(ctx, answer.Channel)
	return nil
}

// edit brings the message up to date. One that a person has deleted is posted anew, once.
func (b *Bot) edit(ctx context.Context, j *job) error {
	t, shown := &j.thread, j.thread.At
	text, body := card(t.shows(), b.words)
	_, err := b.api.post(ctx, "chat.update", post{Channel: t.Channel, TS: t.TS, Text: text, Attachments: []postAttachment{body}, Metadata: mark{j.key, cardID}.data()})
	if call, ok := errors.AsType[*callError](err); ok && gone[call.code] {
		t.lost()
		return &busyError{500 * time.Millisecond, "the message was deleted"}
	}
	if err == nil || deployments.Refusal(err) != "" {
		t.Shown = shown
	}
	return err
}

// answer adds the event to the thread. What is more than a fact is shown in the channel too: an edit alone makes no
// sound.
func (b *Bot) answer(ctx context.Context, j *job, doubted time.Time) error {
	t, e := &j.thread, j.event
	if !doubted.IsZero() {
		ts, err := b.find(ctx, t, j.key, j.id, doubted)
		if ts != "" {
			t.done(j.id)
			return nil
		}
		if err != nil {
			t.Tried[j.id] = doubted
			return err
		}
	}
	text, attachments := answerTo(e, j.again)
	_, err := b.api.post(ctx, postMessage, post{Channel: t.Channel, Thread: t.TS, Broadcast: rank(e.Severity) > 0 || j.again > 0, Text: text, Attachments: attachments,
		Metadata: mark{j.key, j.id}.data()})
	if call, ok := errors.AsType[*callError](err); ok && gone[call.code] {
		t.lost()
		delete(t.Tried, j.id)
		return &busyError{500 * time.Millisecond, "the message was deleted"}
	}
	if err != nil {
		return t.failed(j.id, err)
	}
	t.done(j.id)
	return nil
}

// channelID is how Slack names channels; a name such as #deploys is for people.
var channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{8,}$`)
