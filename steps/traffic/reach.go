package traffic

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// reachTimeout bounds one question; what asks goes on asking.
const reachTimeout = 5 * time.Second

// Reach asks a URL by GET. It is nil when the answer's status is 2xx; a redirection is no answer.
func Reach(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 1<<16)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
