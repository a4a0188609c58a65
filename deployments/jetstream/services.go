package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/deployments"
)

const (
	serveParallel = 16              // requests of one kind answered at once
	serveWait     = 5 * time.Second // for one answer
	maxRequest    = 64 << 10        // bytes
)

// Request is what somebody asks of a slot.
type Request struct {
	Slot deployments.Slot
	Verb string // of a command: the last token of its subject; else ""
	From Actor  // who asks, where the server says so
	Data []byte // the body as it came, at most 64 KiB
}

// Reply answers a request, as JSON.
type Reply struct {
	OK     bool            `json:"ok"`
	Error  string          `json:"error,omitempty"`  // why not, in words
	Reason string          `json:"reason,omitempty"` // why not, in one word, where a program branches on it
	State  json.RawMessage `json:"state,omitempty"`
}

// Refused is the reply to a request that is refused.
func Refused(err error) Reply { return Reply{Error: err.Error(), Reason: deployments.Refusal(err)} }

// Handlers answer requests. A nil one is not served.
type Handlers struct {
	Command func(context.Context, Request) Reply         // <prefix>.cmd.<env>.<service>.<verb>: any one worker
	Ack     func(context.Context, Request) Reply         // <prefix>.ack.<env>.<service>: any one worker
	Ask     func(context.Context, Request) (Reply, bool) // <prefix>.ask.<env>.<service>: every worker; false: not mine, stay silent
}

// Serve answers requests until ctx ends, then answers what it has heard already and returns
// ctx's error. ready (nil:
// nobody) is called when requests from now on are heard.
func Serve(ctx context.Context, nc *nats.Conn, n Names, h Handlers, log *slog.Logger, ready func()) error {
	stopped := make(chan struct{})
	var running errgroup.Group
	var subs []*nats.Subscription
	defer func() {
		// Flushed, a request that comes from now on finds another worker, or learns that there is none.
		for _, sub := range subs {
			_ = sub.Unsubscribe()
		}
		_ = nc.FlushTimeout(time.Second)
		close(stopped)
		_ = running.Wait()
	}()
	services, err := h.services(nc, n, orDiscard(log))
	if err != nil {
		return err
	}
	for _, s := range services {
		msgs := make(chan *nats.Msg, 256)
		sub, err := nc.ChanQueueSubscribe(n.Subject(s.pattern), s.queue, msgs)
		if err != nil {
			return fmt.Errorf("serve %s: %w", s.pattern, err)
		}
		subs = append(subs, sub)
		running.Go(func() error { return s.run(context.WithoutCancel(ctx), n, msgs, stopped, orDiscard(log)) })
	}
	if err := nc.FlushTimeout(serveWait); err != nil {
		return fmt.Errorf("serve requests: %w", err)
	}
	if ready != nil {
		ready()
	}
	<-ctx.Done()
	return ctx.Err()
}

// service is one kind of request.
type service struct {
	pattern string
	queue   string // "": every worker hears every request
	order   bool   // it is obeyed
	signed  bool   // the server says who sent it
	word    bool   // it may be published without waiting for a reply: its body says itself what it answers
	handle  func(context.Context, Request) (Reply, bool)
}

// services are the kinds of request that have a handler, and the reading of what is stored.
func (h Handlers) services(nc *nats.Conn, n Names, log *slog.Logger) ([]service, error) {
	always := func(f func(context.Context, Request) Reply) func(context.Context, Request) (Reply, bool) {
		return func(ctx context.Context, r Request) (Reply, bool) { return f(ctx, r), true }
	}
	workers := n.Subject("workers")
	var all []service
	order := func(pattern string, word bool, f func(context.Context, Request) Reply) {
		if f == nil {
			return
		}
		s := service{pattern: pattern, queue: workers, order: true, word: word, handle: always(f)}
		all = append(all, s)
		s.pattern, s.signed = signedToken+"."+pattern, true
		all = append(all, s)
	}
	order("cmd.*.*.*", false, h.Command)
	order("ack.*.*", true, h.Ack)
	if h.Ask != nil {
		all = append(all, service{pattern: "ask.*.*", handle: h.Ask})
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("serve requests: %w", err)
	}
	return append(all, Reader{JS: js, Names: n, Log: log}.shelf().services(n)...), nil
}

// run answers messages, several at a time. Once stopped is closed it answers those that are there already, and returns.
func (s service) run(ctx context.Context, n Names, msgs <-chan *nats.Msg, stopped <-chan struct{}, log *slog.Logger) error {
	var running errgroup.Group
	running.SetLimit(serveParallel)
	answer := func(msg *nats.Msg) {
		running.Go(func() error {
			s.answer(ctx, n, msg, log)
			return nil
		})
	}
	for going := true; going; {
		select {
		case msg := <-msgs:
			answer(msg)
		case <-stopped:
			going = false
		}
	}
	for len(msgs) > 0 {
		answer(<-msgs)
	}
	return running.Wait()
}

// asked reports whether somebody waits for a reply. Permissions do not bind the server itself: who may read a stream, or
// publish to one, can have the server's reply or a stored message delivered on any subject, as an order too. Those have
// no subject for a reply, or one of JetStream's.
func asked(msg *nats.Msg) bool { return msg.Reply != "" && !strings.HasPrefix(msg.Reply, "$JS.") }

// published reports whether a message without a subject for a reply may be a client's own: the server's copies of stored
// messages carry its headers. Its bare answers to publishers name no rollout, and are refused for that.
func (s service) published(msg *nats.Msg) bool {
	for key := range msg.Header {
		if strings.HasPrefix(strings.ToLower(key), "nats-") && !(s.signed && key == headerSender) {
			return false
		}
	}
	return msg.Reply == ""
}

// answer answers one message. A question without a subject for a reply gets none; an order without is ignored.
func (s service) answer(ctx context.Context, n Names, msg *nats.Msg, log *slog.Logger) {
	if s.order && !asked(msg) && !(s.word && s.published(msg)) {
		log.Warn("request ignored: it has no subject for a reply", "subject", msg.Subject)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, serveWait)
	defer cancel()
	request, err := s.request(n, msg)
	var reply Reply
	mine := true
	if err == nil {
		reply, mine = s.handle(ctx, request)
	} else {
		reply = Refused(err)
	}
	if !mine || msg.Reply == "" {
		return
	}
	data, err := json.Marshal(reply)
	if err == nil {
		err = msg.Respond(data)
	}
	if err != nil {
		log.Warn("request not answered", "subject", msg.Subject, "error", err)
	}
}

// request reads a message's subject.
func (s service) request(n Names, msg *nats.Msg) (Request, error) {
	rest, _ := n.relative(msg.Subject)
	r := Request{Data: msg.Data}
	if s.signed {
		rest = strings.TrimPrefix(rest, signedToken+".")
		r.From = sender(msg.Header)
	}
	tokens := strings.Split(rest, ".")
	if len(msg.Data) > maxRequest {
		return r, refuse(TooLarge, "the request has %d bytes, %d are allowed", len(msg.Data), maxRequest)
	}
	if len(tokens) < 3 {
		r.Slot.Environment = strings.Join(tokens[1:], "")
		return r, nil
	}
	r.Slot = deployments.Slot{Environment: tokens[1], Service: tokens[2]}
	if len(tokens) == 4 {
		r.Verb = tokens[3]
	}
	if err := r.Slot.Validate(); err != nil {
		return r, deployments.Refuse(BadName, err)
	}
	return r, nil
}
