package ofrep_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/ofrep"
)

// asker is a confirmer whose looks are counted.
type asker struct {
	*ofrep.Confirmer
	looks *looks
}

// looks ends a context when a second look begins: each begins with the user without a targeting key.
type looks struct {
	http.Transport
	mu  sync.Mutex
	n   int
	end context.CancelFunc
}

func (l *looks) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength == int64(len(`{"context":{}}`)) {
		l.mu.Lock()
		if l.n++; l.n == 2 && l.end != nil {
			l.end()
		}
		l.mu.Unlock()
	}
	return l.Transport.RoundTrip(r)
}

// confirmer asks at url.
func confirmer(t *testing.T, url, tokenFile string) asker {
	t.Helper()
	l := &looks{Transport: http.Transport{MaxIdleConnsPerHost: 8}}
	t.Cleanup(l.CloseIdleConnections)
	c, err := ofrep.NewConfirmer(flags.Source{Kind: flags.File, ReadURL: url, ReadKeyFile: tokenFile}, &http.Client{Transport: l})
	if err != nil {
		t.Fatal(err)
	}
	return asker{c, l}
}

// confirm asks until it is confirmed or certain not to be.
func confirm(t *testing.T, c asker, want flags.Want) flags.Confirmation {
	t.Helper()
	return confirmWithin(t, c, want, 60*time.Second)
}

// expect asks until it is confirmed, or once where it will not be.
func expect(t *testing.T, c asker, want flags.Want, outcome flags.Outcome) flags.Confirmation {
	t.Helper()
	if outcome == flags.Confirmed {
		return confirm(t, c, want)
	}
	return fail(t, c, want)
}

// fail asks once what will not be confirmed.
func fail(t *testing.T, c asker, want flags.Want) flags.Confirmation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	c.looks.mu.Lock()
	c.looks.n, c.looks.end = 0, cancel
	c.looks.mu.Unlock()
	got, err := c.Confirm(ctx, "production.checkout", want)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func confirmWithin(t *testing.T, c asker, want flags.Want, d time.Duration) flags.Confirmation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	got, err := c.Confirm(ctx, "production.checkout", want)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEachShareOfSerinsOwnBucketsIsConfirmedExactly(t *testing.T) {
	w := serve(t, nil)
	c := confirmer(t, w.URL, "")
	for _, share := range []int{0, 1, 500, 2500, 5000, 9999, 10000} {
		want := w.board.ramp(t, "production.checkout", share)
		got := confirm(t, c, want)
		if got.Outcome != flags.Confirmed || got.Detail != "" {
			t.Errorf("%d: %+v", share, got)
		}
		if want.Share += 100; share > 0 && want.Share < flags.Total {
			if got := confirm(t, c, want); got.Outcome != flags.Mismatch || got.Took > 50*time.Second {
				t.Errorf("%d where %d is wanted: %+v, want a mismatch at once", share, want.Share, got)
			}
		}
	}
}

func TestConfirmationWaitsForTheRevisionWritten(t *testing.T) {
	w := serve(t, nil)
	want := w.board.ramp(t, "production.checkout", 10000)
	want.Share, want.Variant, want.Revision = 0, "", want.Revision+1
	c := confirmer(t, w.URL, "")
	if got := fail(t, c, want); got.Outcome != flags.Unverifiable || !strings.Contains(got.Detail, "revision 1 is served, 2 was written") {
		t.Errorf("%+v", got)
	}
	time.AfterFunc(100*time.Millisecond, func() { w.board.put("production.checkout", feature) })
	if got := confirm(t, c, want); got.Outcome != flags.Confirmed || got.Share != 0 {
		t.Errorf("%+v", got)
	}
}

func TestVersionFlagIsConfirmed(t *testing.T) {
	w := serve(t, nil)
	w.board.put("production.checkout", `{"state":"ENABLED","variants":{"v1":"v1","v2":"v2"},"defaultVariant":"v1","targeting":{"fractional":[["v2",2500],["v1",7500]]}}`)
	got := confirm(t, confirmer(t, w.URL, ""), flags.Want{Kind: flags.Version, Variant: "v2", Base: "v1", Share: 2500, Revision: 1})
	if got.Outcome != flags.Confirmed {
		t.Errorf("%+v", got)
	}
}

// other is an endpoint with buckets of its own, as GO Feature Flag has some. It answers for a share.
type other struct {
	share  atomic.Int64
	bucket func(user string) int
	strict bool // insists on a targeting key
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Context struct{ TargetingKey string }
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	user := body.Context.TargetingKey
	if user == "" && o.strict {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"key":"checkout","errorCode":"TARGETING_KEY_MISSING"}`)
		return
	}
	on := int64(o.bucket(user)) < o.share.Load()
	fmt.Fprintf(w, `{"key":"checkout","value":%t,"variant":%q,"reason":"SPLIT"}`, on, map[bool]string{true: "on", false: "off"}[on])
}

func otherBucket(user string) int {
	sum := sha256.Sum256([]byte("another " + user))
	return int(uint64(binary.BigEndian.Uint32(sum[:])) * flags.Total >> 32)
}

func begin(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func wanting(share int) flags.Want {
	return flags.Want{Kind: flags.Feature, Variant: flags.On, Base: flags.Off, Share: share, Revision: 99}
}

func TestForeignBucketsAreConfirmedByCount(t *testing.T) {
	o := &other{bucket: otherBucket, strict: true}
	c := confirmer(t, begin(t, o), "")
	for _, share := range []int{500, 2500, 5000, 10000, 0} {
		o.share.Store(int64(share))
		if got := confirm(t, c, wanting(share)); got.Outcome != flags.Confirmed {
			t.Errorf("%d: %+v", share, got)
		}
	}
}

func TestForeignBucketsWithAnotherShareAreAMismatch(t *testing.T) {
	for served, wanted := range map[int]int{500: 2500, 2500: 500, 5000: 10000, 100: 0, 9900: 10000, 0: 500} {
		t.Run(strconv.Itoa(served), func(t *testing.T) {
			t.Parallel()
			o := &other{bucket: otherBucket, strict: true}
			o.share.Store(int64(served))
			if got := fail(t, confirmer(t, begin(t, o), ""), wanting(wanted)); got.Outcome != flags.Mismatch {
				t.Errorf("%d where %d is wanted: %+v", served, wanted, got)
			}
		})
	}
}

func TestShareThatIsPlausibleButOldIsNotTakenForTheNewOne(t *testing.T) {
	o := &other{bucket: otherBucket}
	c := confirmer(t, begin(t, o), "")
	o.share.Store(2500)
	if got := confirm(t, c, wanting(2500)); got.Outcome != flags.Confirmed {
		t.Fatalf("%+v", got)
	}
	if got := fail(t, c, wanting(2600)); got.Outcome != flags.Unverifiable || !strings.Contains(got.Detail, "the same users") {
		t.Errorf("2500 where 2600 is wanted: %+v", got)
	}
	o.share.Store(2600)
	if got := confirm(t, c, wanting(2600)); got.Outcome != flags.Confirmed {
		t.Errorf("%+v", got)
	}
}

func TestLeftoverOfOneInThousandIsSeenInSerinsBuckets(t *testing.T) {
	o := &other{bucket: func(user string) int { return flags.Bucket("checkout", user) }}
	c := confirmer(t, begin(t, o), "")
	for served, wanted := range map[int64]int{10: 0, 9990: 10000} {
		o.share.Store(served)
		if got := fail(t, c, wanting(wanted)); got.Outcome != flags.Mismatch {
			t.Errorf("%d where %d is wanted: %+v", served, wanted, got)
		}
	}
}

func TestEndpointWithSerinsBucketsIsHeldToThem(t *testing.T) {
	o := &other{bucket: func(user string) int { return flags.Bucket("checkout", user) }, strict: true} // flagd: no revision of ours
	c := confirmer(t, begin(t, o), "")
	o.share.Store(2500)
	if got := confirm(t, c, wanting(2500)); got.Outcome != flags.Confirmed || got.Detail != "" {
		t.Fatalf("%+v", got)
	}
	if got := fail(t, c, wanting(2600)); got.Outcome != flags.Mismatch {
		t.Errorf("2500 where 2600 is wanted: %+v", got)
	}
}

func TestAnswersThatProveNothingAreUnverifiable(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   flags.Outcome
		detail string
	}{
		"no flag":             {404, `{"key":"checkout","errorCode":"FLAG_NOT_FOUND"}`, flags.Unverifiable, "404 FLAG_NOT_FOUND"},
		"an error":            {400, `{"key":"checkout","errorCode":"GENERAL","errorDetails":"no"}`, flags.Unverifiable, "GENERAL no"},
		"a fault":             {500, `{"errorDetails":"ouch"}`, flags.Unverifiable, "500"},
		"a page":              {200, `<html>`, flags.Unverifiable, "nothing of OFREP"},
		"another place":       {302, `{}`, flags.Unverifiable, "302"},
		"no token":            {401, ``, flags.Unverifiable, "check the file with its token"},
		"too many":            {429, ``, flags.Unverifiable, "limits requests"},
		"200 with an error":   {200, `{"errorCode":"GENERAL","value":false,"variant":"off"}`, flags.Unverifiable, "GENERAL"},
		"no value":            {200, `{"key":"checkout","reason":"DISABLED"}`, flags.Mismatch, "no value (DISABLED)"},
		"a value of an error": {200, `{"value":false,"variant":"off","reason":"ERROR"}`, flags.Mismatch, "ERROR"},
		"a text":              {200, `{"value":"false","variant":"off","reason":"STATIC"}`, flags.Mismatch, ""},
		"another variant":     {200, `{"value":false,"variant":"on","reason":"STATIC"}`, flags.Mismatch, ""},
		"a nameless variant":  {200, `{"value":false,"reason":"STATIC"}`, flags.Confirmed, ""},
		"Flipt's name":        {200, `{"value":false,"variant":"false","reason":"DEFAULT"}`, flags.Confirmed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := begin(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			if got := expect(t, confirmer(t, url, ""), wanting(0), c.want); got.Outcome != c.want || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("%+v, want %s with %q", got, c.want, c.detail)
			}
		})
	}
}

func TestConfirmerLeavesABusyEndpointAlone(t *testing.T) {
	var asked atomic.Int64
	url := begin(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	got := confirmWithin(t, confirmer(t, url, ""), wanting(0), 300*time.Millisecond)
	if n := asked.Load(); got.Outcome != flags.Unverifiable || n > 8 {
		t.Errorf("asked %d times: %+v", n, got)
	}
}

func TestTokenIsReadAnewAndNeverTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	w := serve(t, func(o *ofrep.Options) {
		o.Tokens = func() ([]string, error) { return []string{"the-right-token"}, nil }
	})
	want := w.board.ramp(t, "production.checkout", 10000)
	c := confirmer(t, w.URL+"/ofrep/v1/", file)
	if got := confirmWithin(t, c, want, 300*time.Millisecond); got.Outcome != flags.Unverifiable || !strings.Contains(got.Detail, "read the OFREP token") {
		t.Errorf("%+v", got)
	}
	for token, outcome := range map[string]flags.Outcome{"a-wrong-token": flags.Unverifiable, "two\nlines": flags.Unverifiable, "": flags.Unverifiable, "the-right-token\r\n": flags.Confirmed} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		d := 300 * time.Millisecond
		if outcome == flags.Confirmed {
			d = 60 * time.Second
		}
		if got := confirmWithin(t, c, want, d); got.Outcome != outcome || strings.Contains(got.Detail, "-token") {
			t.Errorf("%q: %+v", token, got)
		}
	}
}

func TestQuestionsThatMakeNoSenseAreErrors(t *testing.T) {
	c := confirmer(t, "http://127.0.0.1:1", "")
	for _, want := range []flags.Want{{}, {Kind: flags.Feature}, {Kind: flags.Feature, Base: "off", Share: 1}, {Kind: flags.Feature, Base: "off", Share: -1}} {
		if _, err := c.Confirm(t.Context(), "production.checkout", want); err == nil {
			t.Errorf("%+v is asked", want)
		}
	}
	for _, url := range []string{"", "ftp://a", "http://u:secret@a", "http://", "http://a?b=c"} {
		if _, err := ofrep.NewConfirmer(flags.Source{ReadURL: url}, nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if got := confirmWithin(t, c, wanting(0), 300*time.Millisecond); got.Outcome != flags.Unverifiable || got.Took <= 0 {
		t.Errorf("an endpoint that is away: %+v", got)
	}
}
