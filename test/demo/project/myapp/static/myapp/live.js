// The page's clock comes by server-sent events, its answers by a WebSocket.
const clock = document.getElementById("clock");
const events = new EventSource("/main/events?count=600");
events.onmessage = (event) => {
  clock.textContent = event.data;
};

const answer = document.getElementById("answer");
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(`${scheme}//${location.host}/main/socket`);
socket.onmessage = (event) => {
  answer.textContent = event.data;
};
document.getElementById("message").onchange = (event) => socket.send(event.target.value);
