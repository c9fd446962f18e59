import type { ComposeModel } from '../../io/compose.ts';
import { canonicalName } from '../../images/reference.ts';
import { idOnStore } from '../images/names.ts';
import type { Context } from './context.ts';

/** Services whose containers the plan recreates, removes or adds. */
export function changedServices(context: Context): { recreated: string[]; removed: string[]; added: string[] } {
  const { services, installed, compose } = context;
  if (!compose.model) return { recreated: [], removed: [], added: [] };
  const targetServices = Object.keys(compose.model.services);
  return {
    recreated: recreatedServices(context, compose.model),
    // After an adoption without a bundle, services that the release does not name may be the operator's own.
    removed: installed?.origin === 'adopted' ? [] : services.filter((service) => !targetServices.includes(service)),
    added: services.length > 0 ? targetServices.filter((service) => !services.includes(service)) : [],
  };
}

/** Services whose containers a plain `up` would recreate: their configuration or their image differs. */
function recreatedServices({ containers, names, engine, compose: { hashes } }: Context, model: ComposeModel): string[] {
  return Object.entries(model.services)
    .filter(([service, { image }]) =>
      containers.some((container) => {
        if (container.service !== service || container.oneOff) return false;
        const releaseImage = names.find((entry) => canonicalName(entry.name) === canonicalName(image ?? ''));
        return (
          container.configHash !== hashes.get(service) ||
          (releaseImage !== undefined && idOnStore(releaseImage.image, engine.store) !== container.imageId)
        );
      }),
    )
    .map(([service]) => service);
}
