package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/serin-cd/serin/deployments"
)

// Options is what receivers need of the world.
type Options struct {
	Memory  List
	State   func(ctx context.Context, s deployments.Slot) (deployments.State, error) // of a slot, to know whether it waits still
	Metrics *Metrics                                                                 // nil: nothing is counted
	HTTP    *http.Client                                                             // nil: the default client with a timeout of 10 s
	Now     func() time.Time                                                         // nil: time.Now
	Log     *slog.Logger                                                             // nil: silent
}

// Teller tells one receiver. Use Open to make one; it may be used by many goroutines.
type Teller struct {
	Receiver Receiver
	to       Deliverer
	send     func(ctx context.Context, e deployments.Event, id string, again int) error
	render   func(e deployments.Event) any
	remind   reminders
	options  Options
	state    states
}

// Open makes the teller of a receiver. What is wrong with its template is an error with its line.
func Open(r Receiver, o Options) (*Teller, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Metrics == nil {
		o.Metrics = NewMetrics(prom.NewRegistry())
	}
	var words *Template
	if r.TemplateFile != "" {
		var err error
		if words, err = LoadTemplate(r.TemplateFile, r.TemplateFile); err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
	}
	t := &Teller{Receiver: r, options: o, state: states{memory: o.Memory, receiver: r.Name, now: o.Now}}
	switch r.Kind {
	case SlackChannel:
		bot := NewBot(r, BotOptions{Memory: o.Memory, Words: words, HTTP: o.HTTP, Now: o.Now, Log: o.Log})
		t.to, t.send = each{bot, bot.tell}, bot.tell
		t.render = bot.render
	case SlackWebhook:
		s := Slack{URL: r.URL, File: r.WebhookFile, HTTP: o.HTTP, Now: o.Now, Words: words}
		t.plain(perSecond, func(ctx context.Context, e deployments.Event, id string, again int) error {
			return s.send(ctx, id, message(e, words, again))
		})
		t.render = func(e deployments.Event) any { return message(e, words, 0) }
	case HTTPWebhook:
		w := Webhook{URL: r.URL, SecretFile: r.SecretFile, HTTP: o.HTTP, Now: o.Now}
		t.plain(machinePerSecond, func(ctx context.Context, e deployments.Event, _ string, again int) error {
			return w.send(ctx, e, again)
		})
		t.render = w.render
	default:
		return nil, fmt.Errorf("receiver %s: it says not how it is told", r.Name)
	}
	o.Metrics.begin(r.Name)
	t.remind = reminders{receiver: r, memory: o.Memory, state: o.State, tell: t.again, now: o.Now, log: o.Log}
	return t, nil
}

// plain is a receiver that is sent each event it wants.
func (t *Teller) plain(perSecond rate.Limit, send func(context.Context, deployments.Event, string, int) error) {
	paced := newPaced(each{t.Receiver, send}, t.options.Now, perSecond)
	t.to = paced
	t.send = func(ctx context.Context, e deployments.Event, id string, again int) error {
		if again == 0 {
			return send(ctx, e, id, 0)
		}
		if err := paced.admit(id, e.Severity, now(t.options.Now)); err != nil {
			return err
		}
		return send(ctx, e, id, again)
	}
}

// each sends every event that is wanted.
type each struct {
	wants interface {
		Wants(e deployments.Event) bool
	}
	send func(context.Context, deployments.Event, string, int) error
}

// Wants reports whether an event is wanted.
func (s each) Wants(e deployments.Event) bool { return s.wants.Wants(e) }

// Deliver sends an event.
func (s each) Deliver(ctx context.Context, e deployments.Event) error { return s.send(ctx, e, e.ID, 0) }

// Deliver tells the receiver of an event, if it wants it, in one try. What needs a person is remembered first: where it
// cannot be delivered, it is told again later all the same.
func (t *Teller) Deliver(ctx context.Context, e deployments.Event) error {
	if !t.to.Wants(e) {
		return nil
	}
	if t.Receiver.Wants(e) {
		if err := t.remind.note(ctx, e); err != nil { // it is told once at least
			t.options.Log.WarnContext(ctx, "reminder not remembered", slog.String("receiver", t.Receiver.Name), slog.Any("error", err))
		}
	}
	if t.Receiver.Person() && now(t.options.Now).Sub(e.Time) > oldNews {
		return nil
	}
	err := t.to.Deliver(ctx, e)
	if errors.Is(err, errUntold) {
		return nil
	}
	t.count(ctx, err)
	return err
}

// oldNews is how long after an event people are not told of it any more: their receiver was out of the configuration
// since. What still waits for a person they are reminded of.
const oldNews = 24 * time.Hour

// again tells of what waits for a person.
func (t *Teller) again(ctx context.Context, e deployments.Event, again int) error {
	const limit = 25 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := t.send(ctx, e, fmt.Sprintf("%s/again/%d", e.ID, again), again)
	if errors.Is(err, errUntold) {
		return nil
	}
	t.count(ctx, err)
	return err
}

// count counts a try, unless it was not made: it was not its turn.
func (t *Teller) count(ctx context.Context, err error) {
	var turn interface{ WaitsItsTurn() bool }
	if errors.As(err, &turn) && turn.WaitsItsTurn() {
		return
	}
	t.options.Metrics.tried(t.Receiver.Name, err)
	t.state.note(ctx, err)
}

// Run tells again of what waits for a person, until ctx ends.
func (t *Teller) Run(ctx context.Context) error {
	if t.Receiver.Repeat <= 0 || t.options.State == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return t.remind.run(ctx)
}

// Test sends a message that says that it is a test.
func (t *Teller) Test(ctx context.Context, at time.Time) error {
	e := Sample(at)
	e.Name, e.Data.Reason, e.Data.Cause, e.Data.Actions, e.Data.FromPercent = testName, "a test of the receiver "+t.Receiver.Name+": nothing has happened", "", nil, 0
	e.ID = fmt.Sprintf("test/%d/%s", at.UnixNano(), testName)
	e.Data.Rollout, e.Slot, e.Data.Service, e.Data.Environment, e.Data.Version = "", deployments.Slot{Environment: "none", Service: "test"}, "test", "none", "0"
	if err := t.send(ctx, e, e.ID, 0); !errors.Is(err, errUntold) {
		return err
	}
	return nil
}

// testName is the event of a test.
const testName = "notify.test"

// Render is what the receiver would be sent, as JSON.
func (t *Teller) Render(e deployments.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(t.render(e))
	return b.Bytes(), err
}
