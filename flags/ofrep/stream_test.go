package ofrep_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags/ofrep"
)

// listen opens a stream; lines come until it ends.
func (w world) listen(ctx context.Context, t testing.TB, path string, headers ...string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res, bufio.NewScanner(res.Body)
}

// event reads to the next event's data, and its id.
func event(s *bufio.Scanner) (id, data string) {
	for s.Scan() {
		line := s.Text()
		if rest, ok := strings.CutPrefix(line, "id: "); ok {
			id = rest
		}
		if rest, ok := strings.CutPrefix(line, "data: "); ok {
			return id, rest
		}
	}
	return "", ""
}

const events = "/ofrep/v1/events"

func TestStreamTellsOfEachChangeOfItsEnvironment(t *testing.T) {
	w := serve(t, nil)
	res, s := w.listen(t.Context(), t, events)
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	first, data := event(s)
	var message struct{ Type string }
	if err := json.Unmarshal([]byte(data), &message); err != nil || message.Type != "refetchEvaluation" || first == "" {
		t.Fatalf("id %q, data %q", first, data)
	}
	w.handler.Changed("staging.a")
	w.handler.Changed("production.a", "production.b")
	second, _ := event(s)
	if !strings.HasSuffix(first, "-0") || !strings.HasSuffix(second, "-1") {
		t.Errorf("ids %q and %q: a change of another environment was told, or one was told twice", first, second)
	}
}

func TestClientThatComesBackIsToldOnlyOfWhatItMissed(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) { o.Heartbeat = time.Millisecond })
	res, s := w.listen(t.Context(), t, events)
	id, _ := event(s)
	res.Body.Close()
	res, s = w.listen(t.Context(), t, events, "Last-Event-ID", id)
	defer res.Body.Close()
	for beats := 0; beats < 2; {
		switch s.Scan(); {
		case s.Text() == ":":
			beats++
		case strings.HasPrefix(s.Text(), "data"):
			t.Fatal("nothing was missed, and an event came")
		}
	}
	w.handler.Changed("production.a")
	if next, _ := event(s); next == id || next == "" {
		t.Errorf("after a change: id %q", next)
	}
	other, so := w.listen(t.Context(), t, events, "Last-Event-ID", "of another life\t-7")
	defer other.Body.Close()
	if next, _ := event(so); next == "" {
		t.Error("an unknown id is not answered with an event")
	}
}

func TestTicketOpensOnlyTheStreamOfItsEnvironment(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) {
		o.Tokens = func() ([]string, error) { return []string{"a-token"}, nil }
	})
	w.board.put("production.a", feature)
	bulk := w.post(t, path, "", "X-API-Key", "a-token")
	_, uri, _ := strings.Cut(bulk.body, `"requestUri":"`)
	uri, _, _ = strings.Cut(uri, `"`)
	if again := w.post(t, path, "", "X-API-Key", "a-token"); again.header.Get("ETag") != bulk.header.Get("ETag") {
		t.Error("the answer differs from time to time")
	}
	for at, want := range map[string]int{uri: 200, events: 401, events + "?ticket=": 401, "/env/staging" + uri: 401} {
		res, _ := w.listen(t.Context(), t, at)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", at, res.StatusCode, want)
		}
	}
	_, ticket, _ := strings.Cut(uri, "ticket=")
	if g := w.post(t, path+"/a", "", "X-API-Key", ticket); g.status != 401 || strings.Contains(uri, "a-token") {
		t.Errorf("the ticket %q evaluates: %d", ticket, g.status)
	}
}

func TestNoMoreStreamsAreOpenedThanAllowed(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) { o.MaxStreams = 2 })
	ctx, leave := context.WithCancel(t.Context())
	for range 2 {
		res, s := w.listen(ctx, t, events)
		defer res.Body.Close()
		event(s)
	}
	res, _ := w.listen(t.Context(), t, events)
	res.Body.Close()
	if res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third stream: %d", res.StatusCode)
	}
	leave()
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, _ := w.listen(t.Context(), t, events)
		res.Body.Close()
		if res.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the streams that were left are never free again")
		}
	}
}

func TestThousandClientsAreToldAtOnceAndLeaveNothingBehind(t *testing.T) {
	const clients = 1000
	w := serve(t, nil)
	w.Client().Transport.(*http.Transport).MaxConnsPerHost = 0
	before, held := runtime.NumGoroutine(), heap()
	var ready, told, ended sync.WaitGroup
	ready.Add(clients)
	told.Add(clients)
	limit := make(chan struct{}, 50) // connections opened at once
	for range clients {
		limit <- struct{}{}
		ended.Go(func() {
			res, s := w.listen(t.Context(), t, events)
			<-limit
			defer res.Body.Close()
			event(s)
			ready.Done()
			event(s)
			told.Done()
			_, _ = io.Copy(io.Discard, res.Body)
		})
	}
	ready.Wait()
	perStream := (heap() - held) / clients
	began := time.Now()
	w.handler.Changed("production.a")
	told.Wait()
	t.Logf("%d clients: told in %s, %d B of heap each with both ends", clients, time.Since(began).Round(time.Millisecond), perStream)
	if perStream > 100<<10 {
		t.Errorf("%d B a stream", perStream)
	}
	w.handler.Close()
	ended.Wait()
	w.Client().CloseIdleConnections()
	w.CloseClientConnections()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+5; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestClientThatTakesNothingIsLetGo(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) {
		o.MaxStreams, o.WriteTimeout, o.Heartbeat = 1, 200*time.Millisecond, time.Microsecond
	})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := conn.Write([]byte("GET " + events + " HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 16)); err != nil { // the stream is open
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for taken := false; ; {
		res, _ := w.listen(t.Context(), t, events)
		res.Body.Close()
		taken = taken || res.StatusCode == 429
		if taken && res.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the client that takes nothing holds its stream")
		}
		<-time.After(50 * time.Millisecond)
	}
}
