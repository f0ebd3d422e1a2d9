"""The web portal: pages for people over the same functions that the API calls. Server-rendered, no build step.

Everything works without JavaScript. Texts are Spanish, as the domain's own; the catalogue has English.
"""
